/** The median over `runs` of the mean time of one call, with the loop around it, after a warm-up; as timing.py. */
export function nanosecondsPerCall(call, calls = 20_000, runs = 5) {
  for (let number = 0; number < calls / 10; number += 1) call();
  const times = [];
  for (let run = 0; run < runs; run += 1) {
    const start = process.hrtime.bigint();
    for (let number = 0; number < calls; number += 1) call();
    times.push(Number(process.hrtime.bigint() - start) / calls);
  }
  return times.sort((left, right) => left - right)[Math.floor(runs / 2)];
}
