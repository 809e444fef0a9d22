/** The text format of Prometheus (0.0.4): families of metrics, each with its type, its help, and a line a sample. */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}
/** Counts of what was at most `le`, each with those before it; in the unit of the family. */
export interface BucketSample {
  readonly labels?: Labels;
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
  readonly sum: number;
  readonly count: number;
}

export class Exposition {
  #text = "";

  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, "counter", help, samples);
  }
  gauge(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, "gauge", help, samples);
  }
  histogram(name: string, help: string, samples: readonly BucketSample[]): void {
    this.#head(name, "histogram", help);
    for (const { labels = {}, buckets, sum, count } of samples) {
      for (const bucket of buckets) this.#line(`${name}_bucket`, { ...labels, le: numberText(bucket.le) }, bucket.count);
      this.#line(`${name}_bucket`, { ...labels, le: "+Inf" }, count);
      this.#line(`${name}_sum`, labels, sum);
      this.#line(`${name}_count`, labels, count);
    }
  }

  toString(): string {
    return this.#text;
  }

  #family(name: string, type: string, help: string, samples: readonly Sample[]): void {
    this.#head(name, type, help);
    for (const { labels = {}, value } of samples) this.#line(name, labels, value);
  }
  #head(name: string, type: string, help: string): void {
    this.#text += `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
  }
  #line(name: string, labels: Labels, value: number): void {
    const inside = Object.entries(labels)
      .map(([label, text]) => `${label}="${escaped(text)}"`)
      .join(",");
    this.#text += `${name}${inside === "" ? "" : `{${inside}}`} ${numberText(value)}\n`;
  }
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  // What floating point adds to a bound in seconds would make another bucket of it.
  return Number.isInteger(value) || Number.isNaN(value) ? String(value) : String(Number(value.toPrecision(12)));
}
