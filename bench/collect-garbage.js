/**
 * Preloaded into a worker whose memory is measured: at SIGPWR, which nobody else listens to, it collects its garbage, in all of its threads. What is left is what
 * it really needs.
 */
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');
const { BroadcastChannel, isMainThread } = require('node:worker_threads');

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
const channel = new BroadcastChannel('golem-temporal-bench-collect');
channel.onmessage = () => collect();
channel.unref();
if (isMainThread)
  process.on('SIGPWR', () => {
    channel.postMessage('collect');
    collect();
  });
