/** What Temporal itself takes: a workflow that does so many activities, one after the other, which do nothing. */
import { proxyActivities } from '@temporalio/workflow';

const { floorActivity } = proxyActivities<{ floorActivity(): Promise<void> }>({
  startToCloseTimeout: '1 minute',
});

export async function floor(activities: number): Promise<void> {
  for (let n = 0; n < activities; n++) await floorActivity();
}
