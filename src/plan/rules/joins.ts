/** Joins that can never fire. */
import { canSucceed } from "./fate.ts";
import type { Family } from "./rules.ts";

export const joins: Family = ({ findings }) => ({
  block(block) {
    for (const [i, { name, any, body }] of block.steps.entries()) {
      if (!any) continue;
      const able = canSucceed(block, i);
      if (able.length >= any.count) continue;
      const failing = any.of.filter((member) => !able.includes(member));
      findings.warn(
        "JOIN_NEVER",
        body.at("needs", "any").value,
        `the step "${name}" can never begin: it needs ${any.count} of ${any.of.join(", ")} to succeed, and ${failing.join(", ")} always ${failing.length === 1 ? "fails" : "fail"}; it ends with NEEDS_UNMET`,
      );
    }
  },
});
