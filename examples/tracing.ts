import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { Resource } from '@opentelemetry/resources';
import { BasicTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry';

/** Call it once, first of all; give the plugin to workers, clients and bundles. */
export function traceTo(exporter: SpanExporter): OpenTelemetryPlugin {
  const spanProcessor = new SimpleSpanProcessor(exporter);
  new BasicTracerProvider({ spanProcessors: [spanProcessor] }).register({
    contextManager: new AsyncLocalStorageContextManager().enable(),
    propagator: new W3CTraceContextPropagator(),
  });
  return new OpenTelemetryPlugin({ resource: new Resource({ 'service.name': 'pipeline' }), spanProcessor });
}
