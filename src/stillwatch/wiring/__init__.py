"""Puts the rooms together: besides ``settings`` and ``cli`` the only place that knows them by name.

Effects live here: files are read and written, the clock is read for timings, memory is measured. The rooms
take arguments and return records. A job is loaded when it is asked for, so that a gateway, which needs
:mod:`stillwatch.wiring.policy` alone, starts without the engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stillwatch.errors import StillwatchError

if TYPE_CHECKING:
    from stillwatch.wiring.baseline import fit_baseline, show_baseline
    from stillwatch.wiring.controls import export_controls, list_controls, show_control
    from stillwatch.wiring.dye import (
        check_dyes,
        dye_config,
        issue_dyes,
        list_dyes,
        read_tokens,
        record_served,
    )
    from stillwatch.wiring.evidence_build import build_evidence, sign_evidence
    from stillwatch.wiring.evidence_check import open_evidence, recompute_evidence, verify_evidence
    from stillwatch.wiring.evidence_keys import add_key, list_keys, new_key, revoke_key
    from stillwatch.wiring.evidence_log import check_log, log_files
    from stillwatch.wiring.evidence_run import log_is_kept, log_run, must_log
    from stillwatch.wiring.evidence_witness import witness_logs
    from stillwatch.wiring.features import ingest
    from stillwatch.wiring.government import government_report
    from stillwatch.wiring.hub_admin import begin_round, hub_roster, put_hub_member, put_hub_person
    from stillwatch.wiring.hub_demo import demo_hub
    from stillwatch.wiring.hub_folder import new_hub
    from stillwatch.wiring.hub_holder import holder_member
    from stillwatch.wiring.hub_join import commit_round, round_result, show_round
    from stillwatch.wiring.hub_member import (
        ask_hub,
        hub_transparency,
        join_hub,
        moment_us,
        new_member_key,
        see_hub,
        submit_to_hub,
    )
    from stillwatch.wiring.hub_serving import serve_holder, serve_hub
    from stillwatch.wiring.lab import (
        generate,
        lab_detect_time,
        lab_fit,
        lab_open,
        lab_run,
        lab_score,
        lab_search,
        list_scenarios,
        list_suites,
    )
    from stillwatch.wiring.lead_matching import acknowledge_withdrawals, leads_aside, match_leads
    from stillwatch.wiring.lead_view import leads_beside
    from stillwatch.wiring.leads import answer_lead, list_leads, pull_leads, push_share, withdraw_share
    from stillwatch.wiring.lists import list_formats, list_groups, list_traits
    from stillwatch.wiring.playbooks import (
        check_playbook,
        export_playbooks,
        list_playbooks,
        playbook_as_cacao,
        show_playbook,
    )
    from stillwatch.wiring.policies import (
        check_policy,
        explain_policy,
        publish_risk,
        replay_decision,
        show_policy,
        switch_rule,
    )
    from stillwatch.wiring.policy import Gate
    from stillwatch.wiring.posture import Places, judge_posture, posture_results
    from stillwatch.wiring.progress import Progress
    from stillwatch.wiring.psi import psi_answer, psi_offer, psi_read
    from stillwatch.wiring.scanning import explain, scan, show_profile
    from stillwatch.wiring.serving import receive
    from stillwatch.wiring.sharing import check_share, draft_share, preview_share, release_share
    from stillwatch.wiring.sigma import export_rules, list_rules, show_rule, sigma_events
    from stillwatch.wiring.simulation import simulate_policy
    from stillwatch.wiring.storekeeping import (
        back_up,
        bring_up_to_date,
        check_store,
        put_person,
        restore,
        set_up,
    )
    from stillwatch.wiring.storing import store_add, store_expire, store_forget, store_show
    from stillwatch.wiring.takedown import import_run, make_plan, run_plan, undo_plan
    from stillwatch.wiring.taxii import (
        serve_taxii,
        taxii_allow,
        taxii_collection,
        taxii_member,
        taxii_roster,
    )
    from stillwatch.wiring.watch_look import Context
    from stillwatch.wiring.watching import Visit, WatchOptions, watch, watch_status

_JOBS = {
    "baseline": ("fit_baseline", "show_baseline"),
    "controls": ("export_controls", "list_controls", "show_control"),
    "dye": ("check_dyes", "dye_config", "issue_dyes", "list_dyes", "read_tokens", "record_served"),
    "evidence_build": ("build_evidence", "sign_evidence"),
    "evidence_check": ("open_evidence", "recompute_evidence", "verify_evidence"),
    "evidence_keys": ("add_key", "list_keys", "new_key", "revoke_key"),
    "evidence_log": ("check_log", "log_files"),
    "evidence_run": ("log_is_kept", "log_run", "must_log"),
    "evidence_witness": ("witness_logs",),
    "features": ("ingest",),
    "government": ("government_report",),
    "hub_admin": ("begin_round", "hub_roster", "put_hub_member", "put_hub_person"),
    "hub_demo": ("demo_hub",),
    "hub_folder": ("new_hub",),
    "hub_holder": ("holder_member",),
    "hub_join": ("commit_round", "round_result", "show_round"),
    "hub_member": (
        "ask_hub", "hub_transparency", "join_hub", "moment_us", "new_member_key", "see_hub", "submit_to_hub",
    ),
    "hub_serving": ("serve_holder", "serve_hub"),
    "lab": (
        "generate", "lab_detect_time", "lab_fit", "lab_open", "lab_run", "lab_score", "lab_search", "list_scenarios",
        "list_suites",
    ),
    "lead_matching": ("acknowledge_withdrawals", "leads_aside", "match_leads"),
    "leads": ("answer_lead", "list_leads", "pull_leads", "push_share", "withdraw_share"),
    "lead_view": ("leads_beside",),
    "lists": ("list_formats", "list_groups", "list_traits"),
    "playbooks": (
        "check_playbook", "export_playbooks", "list_playbooks", "playbook_as_cacao", "show_playbook",
    ),
    "policies": (
        "check_policy", "explain_policy", "publish_risk", "replay_decision", "show_policy", "switch_rule",
    ),
    "policy": ("Gate",),
    "posture": ("Places", "judge_posture", "posture_results"),
    "progress": ("Progress",),
    "psi": ("psi_answer", "psi_offer", "psi_read"),
    "scanning": ("explain", "scan", "show_profile"),
    "serving": ("receive",),
    "sharing": ("check_share", "draft_share", "preview_share", "release_share"),
    "sigma": ("export_rules", "list_rules", "show_rule", "sigma_events"),
    "simulation": ("simulate_policy",),
    "watch_look": ("Context",),
    "watching": ("Visit", "WatchOptions", "watch", "watch_status"),
    "storekeeping": ("back_up", "bring_up_to_date", "check_store", "put_person", "restore", "set_up"),
    "takedown": ("import_run", "make_plan", "run_plan", "undo_plan"),
    "taxii": ("serve_taxii", "taxii_allow", "taxii_collection", "taxii_member", "taxii_roster"),
    "storing": ("store_add", "store_expire", "store_forget", "store_show"),
}  # fmt: skip
_WHERE = {name: job for job, names in _JOBS.items() for name in names}

__all__ = [
    "Context",
    "Gate",
    "Places",
    "Progress",
    "StillwatchError",
    "Visit",
    "WatchOptions",
    "acknowledge_withdrawals",
    "add_key",
    "answer_lead",
    "ask_hub",
    "back_up",
    "begin_round",
    "bring_up_to_date",
    "build_evidence",
    "check_dyes",
    "check_log",
    "check_playbook",
    "check_policy",
    "check_share",
    "check_store",
    "commit_round",
    "demo_hub",
    "draft_share",
    "dye_config",
    "explain",
    "explain_policy",
    "export_controls",
    "export_playbooks",
    "export_rules",
    "fit_baseline",
    "generate",
    "government_report",
    "holder_member",
    "hub_roster",
    "hub_transparency",
    "import_run",
    "ingest",
    "issue_dyes",
    "join_hub",
    "judge_posture",
    "lab_detect_time",
    "lab_fit",
    "lab_open",
    "lab_run",
    "lab_score",
    "lab_search",
    "leads_aside",
    "leads_beside",
    "list_controls",
    "list_dyes",
    "list_formats",
    "list_groups",
    "list_keys",
    "list_leads",
    "list_playbooks",
    "list_rules",
    "list_scenarios",
    "list_suites",
    "list_traits",
    "log_files",
    "log_is_kept",
    "log_run",
    "make_plan",
    "match_leads",
    "moment_us",
    "must_log",
    "new_hub",
    "new_key",
    "new_member_key",
    "open_evidence",
    "playbook_as_cacao",
    "posture_results",
    "preview_share",
    "psi_answer",
    "psi_offer",
    "psi_read",
    "publish_risk",
    "pull_leads",
    "push_share",
    "put_hub_member",
    "put_hub_person",
    "put_person",
    "read_tokens",
    "receive",
    "recompute_evidence",
    "record_served",
    "release_share",
    "replay_decision",
    "restore",
    "revoke_key",
    "round_result",
    "run_plan",
    "scan",
    "see_hub",
    "serve_holder",
    "serve_hub",
    "serve_taxii",
    "set_up",
    "show_baseline",
    "show_control",
    "show_playbook",
    "show_policy",
    "show_profile",
    "show_round",
    "show_rule",
    "sigma_events",
    "sign_evidence",
    "simulate_policy",
    "store_add",
    "store_expire",
    "store_forget",
    "store_show",
    "submit_to_hub",
    "switch_rule",
    "taxii_allow",
    "taxii_collection",
    "taxii_member",
    "taxii_roster",
    "undo_plan",
    "verify_evidence",
    "watch",
    "watch_status",
    "withdraw_share",
    "witness_logs",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"stillwatch.wiring.{_WHERE[name]}"), name)
