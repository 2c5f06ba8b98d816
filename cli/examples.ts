/** An example of each command, by its whole name: its `--help` shows it, and docs/cli.md. */

export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'golem-temporal': [
    'golem-temporal init job.yaml --yes && golem-temporal start job.yaml --watch',
    'golem-temporal doctor',
  ],
  'golem-temporal init': [
    'golem-temporal init',
    'golem-temporal init render.yaml --yes --image golem/blender:latest',
  ],
  'golem-temporal validate': ['golem-temporal validate job.yaml'],
  'golem-temporal estimate': ['golem-temporal estimate job.yaml --task-time 10m'],
  'golem-temporal start': [
    'golem-temporal start job.yaml --id nightly --watch',
    `echo '{"image":"golem/alpine:latest","budget":"1","tasks":["uname -a"]}' | golem-temporal start -`,
  ],
  'golem-temporal watch': ['golem-temporal watch nightly', 'golem-temporal watch nightly --json | jq .tasks'],
  'golem-temporal list': ['golem-temporal list --running', 'golem-temporal list --json | jq -r ".[].jobId"'],
  'golem-temporal result': [
    'golem-temporal result nightly | jq -r ".tasks[].results[].stdout"',
    'golem-temporal result nightly --settled',
  ],
  'golem-temporal events': ['golem-temporal events nightly --follow'],
  'golem-temporal logs': ['golem-temporal logs nightly task-3'],
  'golem-temporal costs': ['golem-temporal costs nightly', 'golem-temporal costs nightly --csv > costs.csv'],
  'golem-temporal ui': [
    'golem-temporal ui',
    'GOLEM_UI_TOKEN="$(cat token)" golem-temporal ui --listen 0.0.0.0:7460',
  ],
  'golem-temporal search-attributes': [
    `golem-temporal search-attributes && temporal workflow list --query "GolemPhase = 'running'"`,
  ],
  'golem-temporal cancel': ['golem-temporal cancel nightly'],
  'golem-temporal topup': ['golem-temporal topup nightly 0.5'],
  'golem-temporal rent': ['golem-temporal rent --image golem/alpine:latest --budget 1 --id my-vm'],
  'golem-temporal exec': [
    'golem-temporal exec my-vm -- uname -a',
    `golem-temporal exec my-vm --shell 'ls /golem/work | wc -l'`,
  ],
  'golem-temporal terminate': ['golem-temporal terminate my-vm'],
  'golem-temporal attach': ['golem-temporal attach 4f0c8a2b6d1e4f3a9b7c5d3e1f2a4b6c --budget 2'],
  'golem-temporal detach': ['golem-temporal detach my-vm'],
  'golem-temporal key': ['golem-temporal key me.json'],
  'golem-temporal grant': [
    'golem-temporal grant my-vm/rental/1 zWm2yJ3hQkVbEw8cXo1dTn6rLs5uPa9fGi4eKj7vBqM --may exec,read --until 2h --key me.json',
  ],
  'golem-temporal revoke': [
    'golem-temporal revoke my-vm/rental/1 zWm2yJ3hQkVbEw8cXo1dTn6rLs5uPa9fGi4eKj7vBqM --key me.json',
  ],
  'golem-temporal reconcile': ['golem-temporal reconcile --dry-run', 'golem-temporal reconcile --every 10m'],
  'golem-temporal doctor': ['golem-temporal doctor', 'golem-temporal doctor --task-queue own --json'],
  'golem-temporal worker': [
    'YAGNA_APPKEY=try_golem golem-temporal worker',
    'golem-temporal worker --files ./inputs --files-listen 0.0.0.0:7480 --files-url http://192.0.2.7:7480',
  ],
  'golem-temporal schema': ['golem-temporal schema job > job.schema.json'],
  'golem-temporal completion': [
    'eval "$(golem-temporal completion bash)"    # in ~/.bashrc; zsh likewise',
    'golem-temporal completion fish > ~/.config/fish/completions/golem-temporal.fish',
  ],
  'golem-temporal devnet': [
    'golem-temporal devnet',
    'golem-temporal devnet --providers providers.json --fresh',
  ],
  'golem-temporal devnet fault': ['golem-temporal devnet fault operations'],
  'golem-temporal devnet fault arm': [
    'golem-temporal devnet fault arm createAllocation dropAfter    # the answer is lost, the money reserved',
  ],
  'golem-temporal devnet fault list': ['golem-temporal devnet fault list'],
  'golem-temporal devnet fault clear': ['golem-temporal devnet fault clear'],
  'golem-temporal devnet fault operations': ['golem-temporal devnet fault operations'],
  'golem-temporal devnet cut': ['golem-temporal devnet cut --provider steady --sec 30'],
  'golem-temporal devnet restore': ['golem-temporal devnet restore'],
  'golem-temporal devnet crash': ['golem-temporal devnet crash steady --sec 60'],
  'golem-temporal devnet revive': ['golem-temporal devnet revive steady'],
  'golem-temporal devnet kill-vms': ['golem-temporal devnet kill-vms steady'],
  'golem-temporal devnet freeze': ['golem-temporal devnet freeze steady --sec 20'],
  'golem-temporal devnet thaw': ['golem-temporal devnet thaw steady'],
  'golem-temporal devnet shutdown': ['golem-temporal devnet shutdown steady'],
  'golem-temporal devnet reopen': ['golem-temporal devnet reopen steady'],
  'golem-temporal devnet broker': ['golem-temporal devnet broker'],
  'golem-temporal devnet deposit': ['golem-temporal devnet deposit 2'],
  'golem-temporal devnet node': ['golem-temporal devnet node default restart'],
  'golem-temporal devnet effects': ['golem-temporal devnet effects --follow'],
  'golem-temporal devnet open': ['golem-temporal devnet open'],
};
