/** What a turn with one result takes: 131 characters. */
export const facts = JSON.stringify([
  { type: "action.completed", step: "noop#2", attempt: 1, output: { n: 3 }, at: 1_700_000_000_000 },
]).padEnd(131, " ");
