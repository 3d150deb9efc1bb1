"""The catalogue of findings: the meaning of each code, its severity and its fix. Pure.

Codes are for good: alert rules, accepted findings and people's notes name them. A new finding takes a new number, and
a number that is no longer used is not given out again.

How grave, in SARIF's words:
error    The service does not run what was released, or would not after its next restart.
warning  The service is right, but something beside it on the host is not: a login shell, a project, a file's owner.
note     True and worth telling, but nobody's change, and nothing that jada may undo. It is not drift: a host with
         notes alone is in sync. An open session of a person is the example: only that person can end it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SEVERITIES = ERROR, WARNING, NOTE = ("error", "warning", "note")

HEAL = "jada heal --limit HOST"


class Fix(Enum):
    """A way to end a finding. A heal, which releases the same again, may need a person's hand on the host before it."""

    HEAL = "heal"
    HAND_THEN_HEAL = "hand, then heal"
    UPGRADE = "upgrade"
    HAND = "hand"

    @property
    def is_by_heal(self) -> bool:
        return self in (Fix.HEAL, Fix.HAND_THEN_HEAL)


@dataclass(frozen=True, slots=True)
class FindingCode:
    """One kind of finding. `fix` is a command or what a person has to do; HOST in it stands for the host's name.

    UNIT stands for the service's unit; a finding on a host has that put in. `fixed_by` is what `fix` comes to, for
    jada itself.
    """

    code: str
    name: str
    severity: str
    meaning: str
    fix: str
    fixed_by: Fix


# 1xx: which model is asked for.
SETTINGS_UNREADABLE = FindingCode(
    "J101",
    "settings-unreadable",
    ERROR,
    "The service's settings.json is not a JSON object, or its user may not read it. The Claude CLI then drops the "
    "whole file without a word and runs on with its built-in default model. Or it is no regular file, or larger "
    "than jada reads, and what the CLI makes of it is not known.",
    "fix the file on HOST",
    Fix.HAND,
)
MODEL_ON_DISK = FindingCode(
    "J102",
    "model-on-disk",
    ERROR,
    "settings.json names another model than the current release. The next start of the service will use it.",
    HEAL,
    Fix.HEAL,
)
MODEL_SHADOWED = FindingCode(
    "J103",
    "model-shadowed",
    ERROR,
    "settings.json is outranked: a service started now would ask for another model, because of a flag, an "
    "environment variable, managed or project settings, an agent, or a script that starts it. `jada explain` shows "
    "the whole chain.",
    "remove it where it is set on HOST, then: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
SETTINGS_ELSEWHERE = FindingCode(
    "J104",
    "settings-elsewhere",
    ERROR,
    "CLAUDE_CONFIG_DIR makes the service read its user settings from another folder than the one jada writes to.",
    "set `settings:` in fleet.yml to the file in that folder, or remove the variable on HOST",
    Fix.HAND,
)
MODEL_RUNNING = FindingCode(
    "J105",
    "model-running",
    ERROR,
    "The process that runs now uses another model than the current release, whatever the files say: its model "
    "check says so, or its own environment or command line does. Also when the check does not answer.",
    HEAL,
    Fix.HEAL,
)
PROCESS_STALE = FindingCode(
    "J106",
    "process-stale",
    ERROR,
    "The process started before the files that decide its model last changed, and nothing shows what it read then: "
    "it is not the one the release started, it is not asked (`model_check:` in fleet.yml), and no answers of it are on "
    "record. A running process never takes up a changed file. Of several processes of the Claude CLI, the oldest "
    "decides.",
    HEAL,
    Fix.HEAL,
)
SETTINGS_OWNER = FindingCode(
    "J107",
    "settings-owner",
    WARNING,
    "The owner or the mode of settings.json is not what the release left. The file holds secrets.",
    "chown and chmod it on HOST",
    Fix.HAND,
)
MODEL_NOT_AVAILABLE = FindingCode(
    "J108",
    "model-not-available",
    ERROR,
    "`availableModels` in a settings file does not list the model. The Claude CLI then falls back to its default "
    "without a word.",
    "add the model to availableModels there, or remove the list, on HOST; then: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
MODEL_OVERRIDDEN = FindingCode(
    "J109",
    "model-overridden",
    ERROR,
    "`modelOverrides` in a settings file sends another id in place of the model.",
    "remove the override there on HOST, then: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
SESSION_MODEL = FindingCode(
    "J110",
    "session-model",
    WARNING,
    "A `claude` session that the service's user opens by hand, at home or in one of the folders of `projects:` in "
    "fleet.yml, would ask for another model: because of the project's settings, or of the environment at login. "
    "The service is not touched by it.",
    "remove it there on HOST",
    Fix.HAND,
)
SESSION_STALE = FindingCode(
    "J111",
    "session-stale",
    NOTE,
    "A `claude` session is open that began before the model last changed. It keeps the model it began with, even "
    "when it is continued with `claude -c`.",
    "ask its user to end it and begin a new one",
    Fix.HAND,
)
MODEL_UNKNOWN = FindingCode(
    "J112",
    "model-unknown",
    ERROR,
    "Nothing tells which model the process uses: what its user owns could not be looked at (J411), or it sees other "
    "files than the host (a chroot, or mounts of its own over the settings); and neither does the service say it "
    "(`model_check:` in fleet.yml), nor could its own CLI be asked.",
    "have the service say its model; or see what keeps the look from it on HOST: jada explain HOST",
    Fix.HAND,
)
MODEL_SERVED = FindingCode(
    "J113",
    "model-served",
    ERROR,
    "Another model answered the service than the current release asks for, by the transcripts of its Claude CLI: it "
    "asked for another, or what is between it and the vendor puts another in its place.",
    "see on HOST which model it asks for: jada explain HOST; where that is right, ask whoever runs its gateway",
    Fix.HAND,
)
MODEL_FALLBACK = FindingCode(
    "J114",
    "model-fallback",
    ERROR,
    "The Claude CLI fell back to another model, as `fallbackModel` has it: the API had no answer by the one that was "
    "asked for, because there is none of that name, or none to be had.",
    "see why on HOST: journalctl -u UNIT; then: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
REQUESTS_FAILING = FindingCode(
    "J115",
    "requests-failing",
    ERROR,
    "Requests of the service failed for good, one in ten or more. 400: the CLI is too old for the model, say; 401 and "
    "403: its key; 404: no such model; 429: its limits; 500 and more: the vendor's trouble.",
    "see why on HOST: journalctl -u UNIT",
    Fix.HAND,
)
EVIDENCE_DISAGREES = FindingCode(
    "J116",
    "evidence-disagrees",
    WARNING,
    "Two of those who should know name different models for the service: what answered, its model check, or its Claude "
    "CLI. The strongest is believed.",
    "see on HOST which of them is wrong: jada explain HOST",
    Fix.HAND,
)
MODEL_UNPROVEN = FindingCode(
    "J117",
    "model-unproven",
    ERROR,
    "Nothing that was observed says which model the service runs: it does not say it (`model_check:` in fleet.yml), no "
    "answers of it are on record, and its own CLI could not be asked. One that is only found, in its PATH or by "
    "`cli:`, proves nothing: the service may start it with other options. What is left is jada's table of where the "
    "CLI takes its model from, which explains and never proves. The host is not in sync, and not seen to have drifted "
    "either.",
    "look again while its CLI runs, or once it has answered; or have the service say its model (`model_check:` in "
    "fleet.yml); or live with it: `proof: derived` there",
    Fix.HAND,
)
PROCESS_LEFT = FindingCode(
    "J118",
    "process-left",
    ERROR,
    "Processes of the service began before its present start, and that has not ended them (KillMode= of its unit, "
    "say). A running process never takes up a changed file: they go on with the model and the limits that they began "
    "with, and may answer for the service.",
    "on HOST: kill PIDS; and see that a restart ends all of them: systemctl show -p KillMode -p SendSIGKILL UNIT",
    Fix.HAND,
)
MODEL_RETIRES = FindingCode(
    "J121",
    "model-retires",
    WARNING,
    "A model that runs on the host, or that its release or fleet.yml asks for, retires within 30 days, or has "
    "already. The API then refuses it, or another one answers in its place.",
    "jada upgrade --to MODEL --limit HOST, with a model that stays; and name it in fleet.yml",
    Fix.UPGRADE,
)
FALLBACK_CHANGED = FindingCode(
    "J124",
    "fallback-changed",
    ERROR,
    "settings.json names other models in `fallbackModel` than the current release, or in another order. The Claude CLI "
    "would ask those where the model can't answer.",
    HEAL,
    Fix.HEAL,
)
SUBAGENT_MODEL_CHANGED = FindingCode(
    "J125",
    "subagent-model-changed",
    ERROR,
    "settings.json names another model for subagents (CLAUDE_CODE_SUBAGENT_MODEL in its `env`) than the current "
    "release.",
    HEAL,
    Fix.HEAL,
)
SUBAGENT_SERVED = FindingCode(
    "J126",
    "subagent-served",
    WARNING,
    "Another model answered subagents of the service than the current release asks for, by the transcripts of its "
    "Claude CLI. A model in the agent's own file outranks what the release asks for, and so does the one that the "
    "agent was called with; or the CLI fell back, or another settings file sets it.",
    "see on HOST what names it: grep -rn '^model:' ~/.claude/agents, and the settings of its project",
    Fix.HAND,
)
# 2xx: the service.
SERVICE_MISSING = FindingCode(
    "J201",
    "service-missing",
    ERROR,
    "systemd knows no unit of that name.",
    "install the service on HOST",
    Fix.HAND,
)
SERVICE_NOT_RUNNING = FindingCode(
    "J202",
    "service-not-running",
    ERROR,
    "The service is not active.",
    "find out why on HOST: journalctl -u UNIT -n 50; then: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
SERVICE_RESTARTING = FindingCode(
    "J203",
    "service-restarting",
    ERROR,
    "systemd started the service again less than a minute ago, after it had died: it may die again.",
    "find out why on HOST: journalctl -u UNIT -n 50",
    Fix.HAND,
)
FILE_CHANGED = FindingCode(
    "J204",
    "file-changed",
    ERROR,
    "A file that is jada's own (the unit's drop-in 50-jada.conf, or the one for login limits) is not what the "
    "release left: edited, removed, or of another owner or mode.",
    HEAL,
    Fix.HEAL,
)
DAEMON_RELOAD_NEEDED = FindingCode(
    "J205",
    "daemon-reload-needed",
    ERROR,
    "Files of the unit changed since systemd read them: a restart would not use what is on disk.",
    HEAL,
    Fix.HEAL,
)
DROPIN_OVERRIDDEN = FindingCode(
    "J206",
    "dropin-overridden",
    ERROR,
    "Another drop-in is read after jada's and sets the same limit otherwise: the last one wins.",
    "remove the line, or the drop-in, on HOST; then: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
SERVICE_RESTARTED = FindingCode(
    "J207",
    "service-restarted",
    NOTE,
    "systemd had to start the service again since it was last started by hand or by a release. It runs now.",
    "find out why on HOST: journalctl -u UNIT",
    Fix.HAND,
)
SERVICE_NOT_LOADED = FindingCode(
    "J208",
    "service-not-loaded",
    ERROR,
    "systemd can't load the unit: it is masked, or a line of it is wrong. Of such a unit systemd does not tell "
    "whose it is, so nothing else is judged.",
    "see what is wrong with it on HOST: systemctl status UNIT; then: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
SERVICE_CANNOT_START = FindingCode(
    "J209",
    "service-cannot-start",
    ERROR,
    "A restart of the service would fail: its unit names a file, a folder, a program or a user that is not there.",
    "put it back on HOST, or take it out of the unit; then: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
PROCESS_NOT_FOUND = FindingCode(
    "J210",
    "process-not-found",
    ERROR,
    "The service is active, but has no process, so what it runs is not known: a unit of Type=oneshot that has "
    "ended, say, or one whose agent runs in a session or container of its own.",
    "have the unit start the agent itself, as Type=simple or Type=exec do, on HOST; then: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
# 3xx: open files.
LIMIT_IN_FORCE = FindingCode(
    "J301",
    "limit-in-force",
    ERROR,
    "The process may open another number of files than the release gave it, whatever systemctl says; or one that the "
    "service has started may open fewer.",
    HEAL,
    Fix.HEAL,
)
LIMIT_AT_LOGIN = FindingCode(
    "J302",
    "limit-at-login",
    WARNING,
    "A fresh login shell of the service's user may open another number of files than the release gave: that is "
    "what a `claude` session started by hand gets.",
    "look for other limits of that user in /etc/security/limits.d on HOST; the last file wins",
    Fix.HAND,
)
LIMIT_RAISABLE = FindingCode(
    "J303",
    "limit-raisable",
    WARNING,
    "The release gave fewer open files than were asked for because the host had no more to give. It has now.",
    "jada upgrade --limit HOST",
    Fix.UPGRADE,
)
# 4xx: the release.
NO_RELEASE = FindingCode(
    "J401",
    "no-release",
    ERROR,
    "There is no release of jada on this host: nobody said what is to run, or the host was reinstalled since.",
    "jada upgrade --limit HOST, or leave it out of fleet.yml",
    Fix.UPGRADE,
)
TRANSACTION_CUT_OFF = FindingCode(
    "J402",
    "transaction-cut-off",
    ERROR,
    "A change was cut off half-way (power, kill -9) and the host has not been put back yet.",
    HEAL,
    Fix.HEAL,
)
OTHER_RELEASE = FindingCode(
    "J403",
    "other-release",
    ERROR,
    "The release that is current on the host is not the one that was made just now.",
    "find out who else changes HOST: jada history",
    Fix.HAND,
)
HOST_NEW = FindingCode(
    "J404",
    "host-new",
    ERROR,
    "The host came to the fleet after its last release, for example by autoscaling: others of the fleet were "
    "released to, this one never was.",
    HEAL,
    Fix.HEAL,
)
HOST_GONE = FindingCode(
    "J405",
    "host-gone",
    NOTE,
    "A host that was released to is no longer among those that fleet.yml finds: terminated, stopped, renamed, or "
    "without the tags that fleet.yml asks for.",
    "start it again or give it back its tags, if it should be there",
    Fix.HAND,
)
HOST_KEY_CHANGED = FindingCode(
    "J406",
    "host-key-changed",
    ERROR,
    "The host shows another ssh host key than the known one, so nothing was sent to it: it was reinstalled, its "
    "address belongs to another machine now, or somebody sits in between. It could not be checked.",
    "compare the key with the host's console; if it is right, forget the old one: ssh-keygen -R ADDRESS, or take the "
    "new one in place of what is pinned: jada host-keys --pin",
    Fix.HAND,
)
ROLE_CHANGED = FindingCode(
    "J407",
    "role-changed",
    WARNING,
    "The host plays another role now than when it was released to: its tags, its name or the roles of fleet.yml "
    "changed. It still runs what its old role asked for.",
    HEAL,
    Fix.HEAL,
)
NOT_CHECKED = FindingCode(
    "J408",
    "not-checked",
    ERROR,
    "The host could not be reached or looked at. What it runs is not known; it never counts as in sync.",
    "see whether it runs and its ssh answers: jada hosts; jada doctor --limit HOST",
    Fix.HAND,
)
CHANGE_UNDER_WAY = FindingCode(
    "J409",
    "change-under-way",
    NOTE,
    "A release or a rollback is changing the host at this moment. What it runs half-way is neither in sync nor "
    "drift, so nothing else is said of it, and its history stays as it is until the next check.",
    "wait until it has ended, then: jada drift --limit HOST",
    Fix.HAND,
)
LOOK_INCOMPLETE = FindingCode(
    "J410",
    "look-incomplete",
    WARNING,
    "Something on the host was not looked at, because it is too large, too many, too slow, or could be led "
    "elsewhere by others than root. Nothing is known of it, so it may hide what other findings would tell.",
    "fix that on HOST, then: jada drift --limit HOST",
    Fix.HAND,
)
USER_HALF_UNSEEN = FindingCode(
    "J411",
    "user-half-unseen",
    WARNING,
    "Of what the service's user owns (settings.json, those of projects, agents) nothing is known: the half of the look "
    "that reads it runs as that user, and was stopped, killed or not whole. A rollback goes by root's own records and "
    "needs none of it; an upgrade is refused.",
    "see what the service's user does to its processes on HOST, then: jada drift --limit HOST",
    Fix.HAND,
)
RELEASE_UNREADABLE = FindingCode(
    "J412",
    "release-unreadable",
    ERROR,
    "The manifest of the current release on the host is missing, torn, or holds what can't be right: what the host is "
    "to run is not known from there. Its snapshot may be whole all the same, and a rollback then puts it back.",
    "jada rollback --limit HOST, or forward: jada heal --limit HOST",
    Fix.HAND_THEN_HEAL,
)
OTHER_MACHINE = FindingCode(
    "J420",
    "other-machine",
    ERROR,
    "Another EC2 instance answers at the host's address than the one that is meant: the address is used in two "
    "VPCs, or was given to another instance. Nothing was judged or changed; what the host runs is not known.",
    "see whose address that is now, and in which VPC it is that ssh leads to: jada hosts",
    Fix.HAND,
)
OPERATOR_LOCK = FindingCode(
    "J421",
    "operator-lock",
    NOTE,
    "Somebody has locked the host with `jada lock`: upgrades are stopped there, by whomever, and a rollback needs "
    "--force.",
    "when its reason is gone: jada unlock --limit HOST",
    Fix.HAND,
)
MODEL_NOT_OF_FLEET = FindingCode(
    "J422",
    "model-not-of-fleet",
    WARNING,
    "fleet.yml asks for another model by the host's role than its release does, or for another fallback or model of "
    "subagents, such as after `jada upgrade --to` or a rollback, or since fleet.yml was changed. The next "
    "`jada upgrade` without --to changes it.",
    "jada upgrade --limit HOST, or name the model of its release in fleet.yml",
    Fix.UPGRADE,
)
ROLE_MIXED = FindingCode(
    "J423",
    "role-mixed",
    NOTE,
    "Hosts of one role were released to different models, and fleet.yml asks for none by that role, so nobody says "
    "which is right. It is told of the hosts whose model is not the most common one of those that are checked.",
    "jada upgrade --to MODEL --limit HOST, or name the role's model in fleet.yml",
    Fix.UPGRADE,
)

# 5xx: the network that a rollout found, and left: nothing that jada changes.
ADDRESS_CHANGED = FindingCode(
    "J501",
    "address-changed",
    WARNING,
    "An address of the host (private, public or IPv6), or what holds it (an elastic address, a static ip), is another "
    "after a rollout than before it. jada changes none: somebody else did, meanwhile.",
    "find out who changed it, such as in CloudTrail; what reaches HOST by its old address does so no more",
    Fix.HAND,
)
PORTS_CHANGED = FindingCode(
    "J502",
    "ports-changed",
    WARNING,
    "What the host's security groups, or the firewall of a Lightsail instance, let in and out is other after a rollout "
    "than before it: another group, or another rule of one. jada changes none: somebody else did, meanwhile.",
    "find out who changed it, such as in CloudTrail, and whether it is meant for HOST",
    Fix.HAND,
)
BALANCING_CHANGED = FindingCode(
    "J503",
    "balancing-changed",
    WARNING,
    "The host is registered at other load balancers after a rollout than before it: at another target group, or, where "
    "it is on its way out of one, at that no more. jada registers nothing: somebody else did, meanwhile.",
    "find out who changed it, such as in CloudTrail, and register HOST again if it should be there",
    Fix.HAND,
)
TARGET_LESS_HEALTHY = FindingCode(
    "J504",
    "target-less-healthy",
    WARNING,
    "A load balancer calls the host less healthy after a rollout than before it, also when asked a second time some "
    "seconds later: it may get no requests. It may need longer to notice that the service is up again.",
    "see the health check of the target group, and whether the service answers it: jada status --limit HOST",
    Fix.HAND,
)
NETWORK_NOT_KNOWN = FindingCode(
    "J505",
    "network-not-known",
    NOTE,
    "Whether a part of the host's network is as it was before a rollout is not known: AWS was not allowed to be asked, "
    "or gave no answer in the time that there was. No rollout waits for that.",
    "allow the action that is named; `jada iam` prints the whole policy",
    Fix.HAND,
)
# Findings of a rollout, of which no check for drift tells.
OF_NETWORK = (ADDRESS_CHANGED, PORTS_CHANGED, BALANCING_CHANGED, TARGET_LESS_HEALTHY, NETWORK_NOT_KNOWN)

CODES = {one.code: one for one in tuple(vars().values()) if isinstance(one, FindingCode)}
# Those that a check for drift may tell.
OF_DRIFT = tuple(code for code in CODES.values() if code not in OF_NETWORK)
