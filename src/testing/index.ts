export { readSubcontract } from "../plan/load.ts";
export type { Subcontract } from "../plan/subcontract.ts";
export { type SuiteOptions, type SuiteRunner, storeSuite } from "../store/suite.ts";
export { type TestOptions, type TestOrchestrator, testOrchestrator } from "./orchestrator.ts";
export { type Stand, stub } from "./stub.ts";
