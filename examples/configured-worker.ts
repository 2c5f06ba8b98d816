import { runWorker, type GolemEventNotice } from 'golem-temporal/worker';
import { EncryptionCodec } from './encryption-codec';

async function main(): Promise<void> {
  const events = new EventTarget();
  events.addEventListener('AgreementConfirmed', (notice) => {
    const { jobId, event } = (notice as GolemEventNotice).detail;
    console.log(`${jobId}: agreement ${String(event.details.agreementId)}`);
  });
  await runWorker({
    dataConverter: {
      payloadCodecs: [new EncryptionCodec(Buffer.from(process.env.PAYLOAD_KEY ?? '', 'hex'))],
    },
    eventTarget: events,
    workerOptions: {
      maxCachedWorkflows: 500,
      workerDeploymentOptions: {
        version: { deploymentName: 'golem', buildId: process.env.BUILD_ID ?? 'dev' },
        useWorkerVersioning: true,
        defaultVersioningBehavior: 'AUTO_UPGRADE',
      },
    },
    onReady: () => console.log('ready'),
  });
}

void main();
