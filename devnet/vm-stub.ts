/** A VM host that runs nothing: create, destroy and list activities, as long as there is no real one. */
import { hexId } from './clock';
import type { CreateVmHost } from './contract';

export const createVmHost: CreateVmHost = ({ agreements, effects }) => {
  const all: { activityId: string; agreementId: string; live: boolean; since: number }[] = [];
  const end = (activity: (typeof all)[number]): void => {
    if (!activity.live) return;
    activity.live = false;
    effects.record('activity-destroyed', {
      agreementId: activity.agreementId,
      activityId: activity.activityId,
    });
    agreements.onActivityDestroyed(activity.agreementId, activity.activityId);
  };
  return {
    registerRoutes(app) {
      app.post('/activity-api/v1/activity', (request, reply) => {
        const { agreementId } = request.body as { agreementId: string };
        const activityId = hexId(16);
        all.push({ activityId, agreementId, live: true, since: Date.now() });
        effects.record('activity-created', { agreementId, activityId });
        agreements.onActivityCreated(agreementId, activityId);
        return reply.send({ activityId });
      });
      app.delete('/activity-api/v1/activity/:id', (request, reply) => {
        const { id } = request.params as { id: string };
        all.filter((activity) => activity.activityId === id).forEach(end);
        return reply.header('content-type', 'application/json').send('null');
      });
    },
    usage: () => ({ cpuSec: '1.5', durationSec: '10.25' }),
    activityIds: (agreementId) => all.filter((a) => a.agreementId === agreementId).map((a) => a.activityId),
    liveActivities: () => all.filter((activity) => activity.live),
    destroyForAgreement: async (agreementId) => all.filter((a) => a.agreementId === agreementId).forEach(end),
    close: async () => undefined,
  };
};
