import { Timers } from '../devnet/timers';

it('a timer never comes early by the clock, so that what it finds due is due', async () => {
  const timers = new Timers();
  const early: number[] = [];
  for (let round = 0; round < 40; round++) {
    await Promise.all(
      [1, 2, 3.5, 5, 8, 13].map((ms) => {
        const started = Date.now();
        return new Promise<void>((resolve) => {
          timers.after(ms, () => {
            if (Date.now() - started < Math.floor(ms)) early.push(ms);
            resolve();
          });
        });
      }),
    );
  }
  timers.close();
  expect(early).toEqual([]);
});
