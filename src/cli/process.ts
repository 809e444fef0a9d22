/** Other processes of this machine. */

/** Whether a process is there. A store names its last owner, also one that was killed. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
