/** The job file that `golem-temporal init` writes: small enough to be read, with what is set most often beside it. */

export interface JobAnswers {
  image: string;
  /** GLM. */
  budget: string;
  network: string;
  /** Shell line. */
  task: string;
}

export const USUAL_ANSWERS: JobAnswers = {
  image: 'golem/alpine:latest',
  budget: '1',
  network: 'holesky',
  task: 'echo hello from $(uname -n)',
};

/** Any text is a JSON string, and any JSON string is YAML. */
const quoted = (text: string): string => JSON.stringify(text);

export function jobFile({ image, budget, network, task }: JobAnswers): string {
  return `# A job for golem-temporal. Check it:  golem-temporal validate FILE
# What would it cost?                  golem-temporal estimate FILE
# Run it:                              golem-temporal start FILE --watch
# All fields: README, "The job spec"; for editors: golem-temporal schema job
version: 1

# Image of the VMs: a tag of the Golem registry, or { url: https://... } of your own.
image: ${quoted(image)}

budget:
  # The most that the job may cost, GLM. Amounts are in quotes, so that no digit is lost.
  amount: ${quoted(budget)}
  # holesky is a test network, whose GLM are free; polygon and mainnet cost real ones.
  network: ${quoted(network)}
  # When little is left: finish (begin no task any more), topUp (up to max), or pause.
  # onLow: topUp
  # max: "5"

# What is asked of providers, and for how long (seconds).
demand:
  expirationSec: 1800
  # minCpuThreads: 4
  # minMemGib: 8
  # minStorageGib: 20

# Offers above these prices are not taken, GLM. estimate shows what others ask.
# pricing:
#   maxStartPrice: "0.1"
#   maxCpuPerHour: "0.5"
#   maxEnvPerHour: "0.2"

providers:
  # Most VMs at a time.
  max: 4
  # select: fastest

# Run once in each VM before its first task.
# setup:
#   - echo ready > /golem/work/state

# Each task is a shell line, or an object. They run side by side, each on a provider that is free;
# a task that fails is tried again on another one.
tasks:
  - ${quoted(task)}
  # - name: render
  #   commands:
  #     - transfer: { from: "https://example.org/scene.blend", to: /golem/input/scene.blend }
  #     - run: blender -b /golem/input/scene.blend -o /golem/output/ -f 1
  #   timeoutSec: 600
  #   maxAttempts: 3
`;
}
