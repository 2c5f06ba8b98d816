/**
 * Workflow histories as JSON, in the form that Temporal's tools share. The SDK's own conversion needs all of its
 * packages to find one copy of protobufjs; npm may give each a copy of its own, and then it refuses.
 */
const common = require.resolve('@temporalio/common');
const protoPath = require.resolve('@temporalio/proto', { paths: [common] });
const proto = require(protoPath);
const { patchProtobufRoot } = require(
  require.resolve('@temporalio/proto/lib/patch-protobuf-root', { paths: [common] }),
);
const protoJson = require(require.resolve('protobufjs/ext/protojson', { paths: [protoPath] }));

const { History } = proto.temporal.api.history.v1;
const historyType = patchProtobufRoot(proto).lookupType('temporal.api.history.v1.History');

/** @param history as `fetchHistory` gives it */
function historyToJson(history) {
  return JSON.stringify(protoJson.toJson(historyType, History.fromObject(history)), null, 1);
}

/** @returns a history as `Worker.runReplayHistory` takes it */
function historyFromJson(text) {
  return protoJson.fromJson(historyType, JSON.parse(text), { ignoreUnknownFields: true });
}

module.exports = { historyToJson, historyFromJson };
