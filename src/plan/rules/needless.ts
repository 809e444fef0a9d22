/** Words beside a verb that change nothing. */
import type { Step } from "../flow.ts";
import type { Family } from "./rules.ts";

export const needless: Family = ({ flow, findings, contract }) => {
  const say = (place: Step["place"], message: string) => findings.warn("MODIFIER_NEEDLESS", place, message);
  return {
    step(step, { label, scoped, undoing }) {
      const { verb } = step;
      const node = contract(step);
      if (step.onError !== "fail" && neverFails(step))
        say(step.at("onError").key, `onError changes nothing: ${label} cannot fail (${verb.kind}); take it out`);
      if (step.keep && node && !step.undo && !node.undo)
        say(
          step.at("keep").key,
          `keep changes nothing: neither ${label} nor ${node.name} has an undo that it could hold back; take it out`,
        );
      if (step.undo && (node?.readonly || node?.irreversible !== undefined))
        say(
          step.at("undo").key,
          `undo changes nothing: ${node.name} says ${node.readonly ? "readonly: true" : "irreversible"}, so it is never taken back; take one of the two out`,
        );
      else if (step.undo && flow.onFailure === "stop" && !scoped && !undoing && step.onError === "fail")
        findings.warn(
          "UNDO_STOPPED",
          step.at("undo").key,
          `${label} has an undo, and a run that fails leaves everything as it is (\`onFailure: stop\`); take \`onFailure\` out, or the undo`,
        );
      if (verb.kind === "each" && verb.concurrency !== undefined && flow.concurrency !== undefined && verb.concurrency > flow.concurrency) {
        if (verb.body.verb.kind === "call")
          say(
            step.at("concurrency").value,
            `a concurrency of ${verb.concurrency} changes nothing: the contract lets ${flow.concurrency} calls be under way at once; raise the contract's \`concurrency\`, or lower this one`,
          );
      }
    },
  };
};

/** Neither its verb, nor a condition, a timeout or a join that is not met. */
function neverFails({ verb, when, timeout, needs }: Step): boolean {
  if (when || timeout !== undefined || needs?.any !== undefined) return false;
  return (
    verb.kind === "wait" || (verb.kind === "sleep" && verb.ms !== undefined) || (verb.kind === "set" && verb.value.kind === "constant")
  );
}
