/**
 * Schedules as their users see them, in any process. Each write is made after the revision that its writer read, and is tried
 * again when somebody else was first; the owner drives them (see `Ticker`).
 */
import type { Duration } from "../core/duration.ts";
import { type Failure, OnexError } from "../core/failure.ts";
import { durationAt, onlyFields, shown } from "../core/fields.ts";
import type { Json } from "../core/json.ts";
import type { Workflow } from "../node/workflow.ts";
import type { ScheduleRow } from "../store/schedule-store.ts";
import { cronTimes, invalid } from "./cron.ts";
import type { Engine } from "./engine.ts";
import { startInput } from "./inline.ts";
import { canonical, checkId } from "./values.ts";

export interface ScheduleOptions<I = unknown, O = unknown> {
  /** The runs are called `<id>@<time of the tick>`. Another schedule with this id is replaced. */
  readonly id: string;
  /** One of `nodes`, or its name; a tick starts the newest version. */
  readonly workflow: string | Workflow<I, O>;
  /** "MINUTE HOUR DAY MONTH WEEKDAY", with seconds before them if need be, or "@daily" and the like. */
  readonly cron: string;
  /** IANA name; default "UTC". A time that a change of clocks leaves out ticks right after it, one that comes twice ticks once. */
  readonly timezone?: string;
  /** Of every run; default `{}`. */
  readonly input?: NoInfer<I>;
  /**
   * What a tick does while the last run has not ended: it is left out ("skip", the default), waits for its end ("queue", at
   * most one tick does), starts beside it ("allow"), or cancels it and starts when it has ended ("cancel").
   */
  readonly overlap?: "skip" | "queue" | "allow" | "cancel";
  /** Which ticks that nobody was there for are started late: the last one ("one", the default), up to 1000, oldest first ("all"), or none that is more than a minute late. */
  readonly catchUp?: "one" | "all" | "none";
  /** How late at most; default "1d". */
  readonly catchUpWithin?: Duration;
  /** Of its runs; default 100. */
  readonly priority?: number;
  /** Left out, it stays as it is; a new one ticks. */
  readonly paused?: boolean;
}

export interface ScheduleView {
  readonly id: string;
  readonly workflow: string;
  readonly cron: string;
  readonly timezone: string;
  readonly input: Json;
  readonly overlap: "skip" | "queue" | "allow" | "cancel";
  readonly catchUp: "one" | "all" | "none";
  readonly catchUpWithin: Duration;
  readonly priority: number;
  readonly paused: boolean;
  /** The next tick, ms since 1970; left out when it is paused or never ticks again. */
  readonly nextAt?: number;
  /** The last tick that was started, and its run. */
  readonly last?: { readonly at: number; readonly runId: string };
  /** A tick that waits for the end of the last run. */
  readonly waiting?: number;
  /** Ticks that were started, and that were left out because a run was under way. */
  readonly started: number;
  readonly skipped: number;
  /** Why the last tick could not be started. */
  readonly error?: Failure;
}

export interface Schedules {
  /**
   * Keeps a schedule; the same one again changes nothing, so that it may be put at each start of a process.
   * Throws OnexError `SCHEDULE_INVALID`, `WORKFLOW_UNKNOWN`, `INPUT_INVALID`, `INPUT_NOT_JSON`, `INVALID_DURATION`, `OPTION_INVALID`.
   */
  put<I, O>(schedule: ScheduleOptions<I, O>): Promise<ScheduleView>;
  /** All, by id. */
  list(): Promise<readonly ScheduleView[]>;
  get(id: string): Promise<ScheduleView | undefined>;
  /** Answers whether there was one. Its runs go on. */
  remove(id: string): Promise<boolean>;
  /** No tick until `resume`; one that waits is left out. Throws OnexError `SCHEDULE_UNKNOWN`. */
  pause(id: string): Promise<ScheduleView>;
  /** Goes on with the next tick from now. Throws OnexError `SCHEDULE_UNKNOWN`. */
  resume(id: string): Promise<ScheduleView>;
}

/** What is stored as the spec of a row. */
export type ScheduleSpec = Pick<
  ScheduleView,
  "workflow" | "cron" | "timezone" | "input" | "overlap" | "catchUp" | "catchUpWithin" | "priority" | "paused"
>;
/** What is stored as the state of a row. */
export interface ScheduleState extends Pick<ScheduleView, "last" | "waiting" | "started" | "skipped" | "error"> {
  /** The tick whose run may have been started: whoever comes next looks whether it was. */
  readonly starting?: number;
}

/** The run of a tick. */
export function tickId(id: string, at: number): string {
  return `${id}@${new Date(at).toISOString().slice(0, 19)}Z`;
}

export function readSchedule(row: ScheduleRow): { readonly spec: ScheduleSpec; readonly state: ScheduleState } {
  return { spec: JSON.parse(row.spec) as ScheduleSpec, state: JSON.parse(row.state) as ScheduleState };
}

const scheduleFields: readonly (keyof ScheduleOptions)[] = [
  ...(["id", "workflow", "cron", "timezone", "input", "overlap", "catchUp", "catchUpWithin", "priority", "paused"] as const),
];

function workflowName(where: string, workflow: unknown): string {
  const name = (workflow as { readonly contract?: { readonly name: string } } | null | undefined)?.contract?.name;
  if (name === undefined) throw invalid(where, `workflow is ${shown(workflow)}`, "give one of `nodes`, or its name");
  return name;
}

export class StoredSchedules implements Schedules {
  readonly #engine: Engine;
  readonly #open: () => void;

  constructor(engine: Engine, mustBeOpen: () => void) {
    this.#engine = engine;
    this.#open = mustBeOpen;
  }

  async put<I, O>(schedule: ScheduleOptions<I, O>): Promise<ScheduleView> {
    this.#open();
    onlyFields("SCHEDULE_INVALID", "a schedule", schedule, scheduleFields);
    const { id } = schedule;
    const checked = this.#checked(schedule);
    const next = cronTimes(`schedule ${id}`, checked.cron, checked.timezone);
    return this.#change(id, (row) => {
      const old = row && readSchedule(row);
      const spec: ScheduleSpec = { ...checked, paused: schedule.paused ?? old?.spec.paused ?? false };
      if (row && old && canonical(old.spec as never) === canonical(spec as never)) return row;
      // A change that leaves the times alone keeps the place in them, with the ticks that were missed.
      const sameTimes = old && !old.spec.paused && old.spec.cron === spec.cron && old.spec.timezone === spec.timezone;
      const nextAt = spec.paused ? undefined : sameTimes ? row?.nextAt : next(this.#engine.store.now());
      return { nextAt, spec, state: old ? notWaiting(old.state) : { started: 0, skipped: 0 } };
    });
  }

  #checked<I, O>({ id, workflow, ...given }: ScheduleOptions<I, O>): Omit<ScheduleSpec, "paused"> {
    const engine = this.#engine;
    checkId("the id of a schedule", id);
    const where = `schedule ${id}`;
    if (id.length > 480)
      throw invalid(where, "its id is longer than 480 characters", "its runs have the time behind it: give a shorter one");
    const contract = engine.definitions.get(typeof workflow === "string" ? workflow : workflowName(where, workflow));
    const { timezone = "UTC", overlap = "skip", catchUp = "one", catchUpWithin = "1d", priority = 100 } = given;
    const next = cronTimes(where, given.cron, timezone);
    if (next(engine.store.now()) === undefined)
      throw invalid(where, `cron "${given.cron}" never ticks again`, "write a time that comes, or use `startAt` for a single run");
    if (!["skip", "queue", "allow", "cancel"].includes(overlap))
      throw invalid(where, `overlap is ${JSON.stringify(overlap)}`, 'write "skip", "queue", "allow" or "cancel"');
    if (!["one", "all", "none"].includes(catchUp))
      throw invalid(where, `catchUp is ${JSON.stringify(catchUp)}`, 'write "one", "all" or "none"');
    durationAt(`${where}: catchUpWithin`, catchUpWithin);
    if (given.paused !== undefined && typeof given.paused !== "boolean")
      throw invalid(where, `paused is ${JSON.stringify(given.paused)}`, "write true or false");
    if (!(Number.isInteger(priority) && priority >= 1 && priority <= 1000))
      throw invalid(where, `priority is ${priority}`, "give a whole number from 1 (first) to 1000");
    const input = startInput(contract, given.input ?? {}, engine.settings.maxValueBytes);
    return { workflow: contract.name, cron: given.cron, timezone, input, overlap, catchUp, catchUpWithin, priority };
  }

  async list(): Promise<readonly ScheduleView[]> {
    this.#open();
    return (await this.#engine.store.schedules.list()).map((row) => this.#view(row));
  }

  async get(id: string): Promise<ScheduleView | undefined> {
    this.#open();
    const row = await this.#engine.store.schedules.get(id);
    return row && this.#view(row);
  }

  async remove(id: string): Promise<boolean> {
    this.#open();
    return this.#engine.store.schedules.remove(id);
  }

  pause(id: string): Promise<ScheduleView> {
    return this.#known(id, (row) => {
      const { spec, state } = readSchedule(row);
      return spec.paused ? row : { nextAt: undefined, spec: { ...spec, paused: true }, state: notWaiting(state) };
    });
  }

  resume(id: string): Promise<ScheduleView> {
    return this.#known(id, (row) => {
      const { spec, state } = readSchedule(row);
      if (!spec.paused) return row;
      const next = cronTimes(`schedule ${id}`, spec.cron, spec.timezone);
      return { nextAt: next(this.#engine.store.now()), spec: { ...spec, paused: false }, state };
    });
  }

  /** As it is shown: without what is secret. */
  #view(row: ScheduleRow): ScheduleView {
    const view = viewOf(row);
    return { ...view, input: this.#engine.secrets.sanitizer.json(view.input) };
  }

  async #known(id: string, change: (row: ScheduleRow) => Changed | ScheduleRow): Promise<ScheduleView> {
    this.#open();
    return this.#change(id, (row) => {
      if (!row)
        throw new OnexError(
          "SCHEDULE_UNKNOWN",
          `there is no schedule "${id}" in ${this.#engine.store.name}: \`schedules.list()\` and \`onex schedules\` have them all`,
        );
      return change(row);
    });
  }

  /** Writes what `change` makes of the row as it is; the row itself means that nothing changes. */
  async #change(id: string, change: (row: ScheduleRow | undefined) => Changed | ScheduleRow): Promise<ScheduleView> {
    const { store, world } = this.#engine;
    for (;;) {
      const row = await store.schedules.get(id);
      const changed = change(row);
      if ("revision" in changed) return this.#view(changed);
      const { nextAt, spec, state } = changed;
      const written = { id, revision: world.entropy.uuid(), nextAt, spec: JSON.stringify(spec), state: JSON.stringify(state) };
      if (!(await store.schedules.save(written, row?.revision))) continue;
      this.#engine.scheduled();
      return this.#view(written);
    }
  }
}

interface Changed {
  readonly nextAt: number | undefined;
  readonly spec: ScheduleSpec;
  readonly state: ScheduleState;
}

function notWaiting({ waiting, ...state }: ScheduleState): ScheduleState {
  return waiting === undefined ? state : { ...state, skipped: state.skipped + 1 };
}

function viewOf(row: ScheduleRow): ScheduleView {
  const { spec, state } = readSchedule(row);
  const { starting: _unknown, ...shown } = state;
  return { id: row.id, ...spec, ...(row.nextAt === undefined ? {} : { nextAt: row.nextAt }), ...shown };
}
