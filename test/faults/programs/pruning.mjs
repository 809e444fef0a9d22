/** Removes all runs that have ended, a few at a time, and kills itself at the n-th statement that deletes something. */
import { loadDriver } from "../../../dist/store/sqlite/driver.js";
import { sqliteWith } from "../../../dist/store/sqlite/sqlite.js";
import { given, say } from "./kit.mjs";

const { file, n, atOnce } = given;
let deletes = 0;

/** The same object, with some of its methods replaced. @param {any} target @param {Record<string, (...args: any[]) => any>} own */
const but = (target, own) =>
  new Proxy(target, {
    get(_, name) {
      const member = own[String(name)] ?? Reflect.get(target, name);
      return typeof member === "function" && !(String(name) in own) ? member.bind(target) : member;
    },
  });
const load = () => {
  const driver = loadDriver();
  /** @type {typeof driver} */
  const deadly = (path, options) => {
    const db = driver(path, options);
    const prepare = (/** @type {string} */ sql) => {
      const statement = db.prepare(sql);
      if (!sql.startsWith("DELETE FROM")) return statement;
      const run = (/** @type {any[]} */ ...values) => {
        const done = statement.run(...values);
        if (deletes++ === n) process.kill(process.pid, "SIGKILL");
        return done;
      };
      return but(statement, { run });
    };
    return but(db, { prepare });
  };
  return deadly;
};
const store = sqliteWith(load, file).open({ now: Date.now, setTimer: () => () => {}, warn: () => {} });
let runs = 0;
for (let more = true; more; ) {
  const pruned = await store.prune(Date.now(), atOnce, { keepIdsMs: 1e15 });
  runs += pruned.runs;
  ({ more } = pruned);
}
await store.close();
say({ runs, deletes });
