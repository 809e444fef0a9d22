/** Moves a file into a database, or takes that back, and kills itself before or after its n-th commit on either side. */
import { abortPromotion, promote } from "../../../dist/store/promote/promote.js";
import { given, say } from "../../faults/programs/kit.mjs";

const { n, when, abort, ...task } = given;
/** @type {string[]} */
const commits = [];
const die = () => process.kill(process.pid, "SIGKILL");

/** @type {import("../../../dist/store/promote/promote.js").PromoteTask} */
const whole = {
  ...task,
  host: {
    now: Date.now,
    setTimer(ms, callback) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    warn: () => {},
  },
  async commit(what, work) {
    commits.push(what);
    const hit = commits.length - 1 === n;
    if (hit && when === "before") die();
    const answer = await work();
    if (hit) die();
    return answer;
  },
};
try {
  say({ done: abort ? await abortPromotion(whole) : await promote(whole), commits });
} catch (error) {
  say({ error: /** @type {{ code?: string }} */ (error).code, message: /** @type {Error} */ (error).message, commits });
}
