/** Asking many, a few at a time. */
import { fewAtATime } from '../model/few-at-a-time';

test('no more are asked at a time, and their answers keep the order', async () => {
  let asked = 0;
  let most = 0;
  const answers = await fewAtATime([5, 4, 3, 2, 1], 2, async (n) => {
    asked += 1;
    most = Math.max(most, asked);
    for (let turn = 0; turn < n; turn++) await Promise.resolve();
    asked -= 1;
    return n * 10;
  });
  expect(answers).toEqual([50, 40, 30, 20, 10]);
  expect(most).toBe(2);
});

test('after one that failed nobody else is asked', async () => {
  const asked: number[] = [];
  const asking = fewAtATime([1, 2, 3, 4], 1, async (n) => {
    asked.push(n);
    if (n === 2) throw new Error('no answer');
    return await Promise.resolve(n);
  });
  await expect(asking).rejects.toThrow('no answer');
  expect(asked).toEqual([1, 2]);
});
