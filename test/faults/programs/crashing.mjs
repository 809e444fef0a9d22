/**
 * A store that kills its own process before or after its n-th commit. What makes the file, takes or frees the ownership,
 * and every writing verb counts as one.
 */
const writing = ["acquire", "append", "block", "unblock", "start", "post", "define", "release", "close"];

/**
 * @param {import("../../../dist/index.js").Store} store
 * @param {{ readonly n?: number, readonly when?: "before" | "after" }} crash nothing is killed without `n`
 * @returns {{ store: import("../../../dist/index.js").Store, commits: string[] }} `commits`: the verbs so far, in order
 */
export function crashing(store, crash) {
  /** @type {string[]} */
  const commits = [];
  /** @type {<T>(verb: string, work: () => T) => T} */
  const counted = (verb, work) => {
    commits.push(verb);
    const hit = commits.length - 1 === crash.n;
    if (hit && crash.when === "before") die();
    const answer = work();
    if (!hit) return answer;
    if (answer instanceof Promise) answer.then(die, die);
    else die();
    return answer;
  };
  return {
    commits,
    store: {
      kind: store.kind,
      open: (host) =>
        counted(
          "open",
          () =>
            new Proxy(store.open(host), {
              get(target, name) {
                const member = Reflect.get(target, name, target);
                if (typeof member !== "function") return member;
                const verb = member.bind(target);
                return writing.includes(String(name))
                  ? (/** @type {unknown[]} */ ...args) => counted(String(name), () => verb(...args))
                  : verb;
              },
            }),
        ),
    },
  };
}

/** Nothing runs after this line: the signal is there when the call returns. */
function die() {
  process.kill(process.pid, "SIGKILL");
}
