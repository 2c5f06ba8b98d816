import { rentGolemVm } from 'golem-temporal/workflow-helpers';

/** Rents a VM, decides by what a script printed what the next one does, and ends it. */
export async function guess(secret: number): Promise<number> {
  const rental = await rentGolemVm({ image: 'golem/alpine:latest', budget: '1' });
  await rental.executeScript([`echo ${secret} > /golem/work/secret`]);
  let [low, high] = [0, 100];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { state } = await rental.executeScript([`test "$(cat /golem/work/secret)" -le ${middle}`]);
    if (state === 'done') high = middle;
    else low = middle + 1;
  }
  await rental.terminate();
  return low;
}
