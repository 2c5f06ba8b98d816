import type { EventStreams, StreamEvents, StreamKind } from '../../activities/yagna';

/** The next event of a stream that matches. */
export function nextEvent<K extends StreamKind>(
  streams: EventStreams,
  kind: K,
  match: (event: StreamEvents[K]) => boolean = () => true,
): Promise<StreamEvents[K]> {
  return new Promise((resolve) => {
    const unsubscribe = streams.subscribe(kind, (event) => {
      if (!match(event)) return;
      unsubscribe();
      resolve(event);
    });
  });
}
