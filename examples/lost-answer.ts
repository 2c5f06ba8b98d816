import { startDevnet } from 'golem-temporal/devnet';

/** A program is told that its request failed, and yet the money is reserved: can it cope? */
async function main(): Promise<void> {
  const devnet = await startDevnet({ providers: [{ name: 'one' }] });
  const lost = devnet.faults.arm({ on: 'createAllocation', do: 'dropAfter' });
  const reserved = devnet.effects.next('allocation-created');

  // Here your program would run, with devnet.url and devnet.appKey.
  await fetch(`${devnet.url}/payment-api/v1/allocations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${devnet.appKey}`, 'content-type': 'application/json' },
    body: '{ "totalAmount": "1" }',
  }).catch((error: Error) => console.log(`the program is told: ${error.message}`));

  await lost.hit();
  const { amount, cause } = await reserved;
  console.log(`what happened: ${String(amount)} GLM reserved by ${cause}`);
  console.log(`left open: ${devnet.open().counts.allocations} allocation`);
  await devnet.close();
}

void main();
