"""What each key of kortana.yaml is for, in a sentence or two: behind `config explain`, the JSON Schema and the docs."""

DESCRIPTIONS = {
    "version": "Of this format.",
    "project": "How the project is called; if not given, as its folder is. Workers find it in `$KORTANA_PROJECT`.",
    "data_dir": "Where Kortana keeps the journal, snapshots, logs and its socket.",
    "coordinator": "Who may hold which task, and for how long.",
    "coordinator.lease_ttl": "How long a claim lasts without a sign of life; each heartbeat gives it that much again.",
    "coordinator.max_lease_ttl": "The longest that a claim, or a task's `lease_ttl`, may ask for.",
    "coordinator.max_attempts":
        "A task that has failed, or has lost its worker, this often is quarantined: `tasks retry` brings it back.",
    "coordinator.max_leases_per_agent": "So many tasks may one agent hold at a time.",
    "coordinator.adhoc_tasks": "Whether a claim of an id that is not there makes that task.",
    "coordinator.mailbox_limit":
        "So many undelivered messages are kept for each agent; then the oldest INFO goes first.",
    "supervisor": "What follows from a worker's crash for the others, and for the whole tree.",
    "supervisor.strategy":
        "Who is started again after a crash: the worker; all of them; or it and those declared after it. They wait for "
        "each other as `start_after` says.",
    "supervisor.intensity": "So many restarts are allowed within `period`, for the whole tree.",
    "supervisor.period": "The window in which they are counted.",
    "supervisor.on_give_up":
        "What happens when a budget is used up. park: that worker becomes `failed`, the others go on. exit: "
        "everything ends, with exit code 1.",
    "journal": "How the record of everything is kept.",
    "journal.durability":
        "What an answer means. fsync: its record is on the disk. flush: it survives kill -9, not a power cut.",
    "journal.rotate_size": "From this size on the journal goes on in a new file.",
    "journal.keep_segments":
        "So many of the files that were put away are kept, once a checkpoint stands for them; 0: all.",
    "relay": "For agents that know only files: `queues/coordinator_in.txt`, `queues/NAME_in.txt` and `logs/NAME.log`.",
    "relay.enabled": "Whether they are read and written.",
    "relay.root": "The folder in which `queues/` and `logs/` are.",
    "guard": "What `kortana guard`, and adapters with a worktree, do about an edit that no lease covers: nothing, "
    "say so, or refuse it.",
    "defaults": "Keys of a worker that all workers have, unless their profile or they themselves say otherwise.",
    "workers": "What runs, by name, in the order in which it is started.",
    "workers.NAME.command":
        "A program and its words, or one string that is split as a shell splits words; no shell runs it. A worker "
        "has a `command`, an `entrypoint` or an `agent`: one of the three.",
    "workers.NAME.entrypoint":
        "`module:callable`, called as `run(agent: AgentInterface)` in a Python process; modules are found from "
        "`cwd` first.",
    "workers.NAME.agent":
        "An adapter that claims tasks and carries them out: `shell` runs a task's `run:`, the others run that "
        "command-line agent on its `prompt:`, `cli` the one that `cli.command` names.",
    "workers.NAME.cli": "How the adapter of a command-line agent runs it.",
    "workers.NAME.cli.command": "The words that run it headless; known for all but `agent: cli`.",
    "workers.NAME.cli.stream": "Whose JSON stream its output is; text: plain lines. If not given, the agent's own.",
    "workers.NAME.cli.prompt":
        "How it is given its prompt: on standard input, or as its last argument. If not given, as the agent takes "
        "it.",
    "workers.NAME.cli.template":
        "A file with the prompt: $id $title $prompt $paths $dependencies $earlier $messages $agent are filled in.",
    "workers.NAME.cli.worktree": "Whether each task has a git worktree and a branch of its own.",
    "workers.NAME.cli.merge": "Whether that branch is merged once the task is completed.",
    "workers.NAME.cli.stall_timeout": "An agent that says nothing for so long is ended, and the task fails; 0s: never.",
    "workers.NAME.profile": "A file with more keys of this worker; what stands here goes before it.",
    "workers.NAME.replicas": "How many of it run: NAME, or NAME-1 to NAME-n.",
    "workers.NAME.cwd": "Its working directory.",
    "workers.NAME.env": "Variables of its environment, over those of `env_file` and of Kortana's own.",
    "workers.NAME.env_file": "A `.env` file, read at each start as docker compose reads it.",
    "workers.NAME.restart": "When it is started again: always; after a crash; never.",
    "workers.NAME.success_exit_codes": "Exit codes that are no crash.",
    "workers.NAME.quota_exit_codes":
        "Exit codes that say that a quota is used up: no crash, and not counted; it is parked for `quota_delay`.",
    "workers.NAME.quota_delay": "So long it is parked then.",
    "workers.NAME.intensity": "So many restarts are allowed within `period`, for this worker; then it is given up.",
    "workers.NAME.period": "The window in which they are counted.",
    "workers.NAME.backoff": "How long a restart waits.",
    "workers.NAME.backoff.initial": "The first restart; 0s: at once.",
    "workers.NAME.backoff.factor": "Each further one in a row waits so many times as long.",
    "workers.NAME.backoff.max": "At most so long.",
    "workers.NAME.backoff.jitter": "By up to this part longer or shorter, so that not all come at once.",
    "workers.NAME.backoff.reset_after": "One that has run for so long begins with `initial` again.",
    "workers.NAME.start_after":
        "Workers that must have got so far before this one is started; it is stopped before them.",
    "workers.NAME.ready": "What counts as ready: for `up -d`, `start`, and `start_after: {NAME: ready}`.",
    "workers.NAME.ready.type":
        "Its program runs; it has said HELLO to Kortana; a line of its output; a TCP port takes a connection; a "
        "URL answers with 2xx or 3xx; a command ends with 0.",
    "workers.NAME.ready.timeout": "One that is not ready by then is ended, which counts as a crash.",
    "workers.NAME.ready.pattern": "Of type log: a regular expression that a line of its output matches.",
    "workers.NAME.ready.host": "Of type tcp.",
    "workers.NAME.ready.port": "Of type tcp.",
    "workers.NAME.ready.url": "Of type http.",
    "workers.NAME.ready.command": "Of type exec; runs in the worker's `cwd` and environment.",
    "workers.NAME.ready.interval": "Between two questions of types tcp, http and exec.",
    "workers.NAME.liveness": "What counts as hung.",
    "workers.NAME.liveness.heartbeat_timeout":
        "Silence of one that has said HELLO, while it waits for no claim; 0s: off.",
    "workers.NAME.liveness.progress_timeout": "Nothing but signs of life from one that holds a task; 0s: off.",
    "workers.NAME.liveness.action": "End it, which counts as a crash; or only say so in the supervision log.",
    "workers.NAME.stop": "How it is asked to end.",
    "workers.NAME.stop.signal": "What it is sent first.",
    "workers.NAME.stop.grace": "What is left of it after that long is killed.",
    "workers.NAME.limits": "What it may use, with all that it starts.",
    "workers.NAME.limits.memory":
        "Beyond this the kernel kills in it. Without a cgroup that can hold it, it does not start.",
    "workers.NAME.limits.pids": "Processes and threads at a time. As with `memory`.",
    "workers.NAME.limits.open_files": "Open files of one process.",
    "workers.NAME.logs": "Its output, in `logs/NAME.log` of the data folder.",
    "workers.NAME.logs.rotate_size": "From this size on it goes on in a new file.",
    "workers.NAME.logs.keep": "So many of those that were put away are kept.",
    "workers.NAME.capabilities": "What it can do: it gets tasks whose `requires` are all among these.",
    "tasks": "Tasks that are taken into the graph, once, where no task of that id is there.",
    "tasks[].id": "Its name.",
    "tasks[].title": "What it is about, in a line.",
    "tasks[].run": "For the shell adapter: run by /bin/sh.",
    "tasks[].prompt": "For an AI agent's adapter.",
    "tasks[].priority": "Higher first; of the same, who came first.",
    "tasks[].depends_on": "Tasks that must be completed before.",
    "tasks[].paths":
        "What it changes, as git-style globs: reserved while it is leased; two tasks whose paths can meet are not "
        "leased at the same time.",
    "tasks[].requires": "Capabilities that its worker must have.",
    "tasks[].lease_ttl": "How long a claim of it lasts without a sign of life; if not given, `coordinator.lease_ttl`.",
    "tasks[].max_attempts": "If not given, `coordinator.max_attempts`.",
}
