/** Takes every value as it is. */
export const any = {
  "~standard": {
    version: 1,
    vendor: "onex-faults",
    // biome-ignore lint/suspicious/noExplicitAny: these tests are about what survives, not about types
    validate: (value: unknown): { readonly value: any } => ({ value }),
  },
} as const;
