"""Promises of plugins/strategy: it works like `linear`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PLAYBOOK = """
- name: Compute
  hosts: all
  gather_facts: false
  vars:
    untouched: [1]
  tasks:
    - name: Keep a fact, item by item
      ansible.builtin.set_fact:
        seen: "{{ seen | default([]) + [item ~ inventory_hostname] }}"
      loop: [a, b]
      register: kept

    - name: Give localhost a fact of each
      ansible.builtin.set_fact:
        "last_of_{{ inventory_hostname }}": "{{ seen | last }}"
      delegate_to: localhost
      delegate_facts: true

    - name: Skip
      ansible.builtin.assert:
        that: false
      when: inventory_hostname == 'nobody'

    - name: Include for one of them
      ansible.builtin.include_tasks: more.yml
      vars:
        word: "of {{ inventory_hostname }}"
      when: inventory_hostname == 'two'

    - name: Include in a loop
      ansible.builtin.include_tasks: more.yml
      loop: [x, y]
      loop_control:
        loop_var: word

    - name: Say it once
      ansible.builtin.debug:
        var: hostvars.localhost.last_of_one
      run_once: true

    - name: Keep quiet
      ansible.builtin.set_fact:
        secret: "{{ 'swordfish' }}"
      no_log: true
      changed_when: true
      notify: Tell

    - name: Try until it is good
      ansible.builtin.assert:
        that: tries.attempts | default(0) == 2
      register: tries
      until: tries is succeeded or tries.attempts == 2
      delay: 0
      ignore_errors: true

    - name: Fail, and be rescued
      block:
        - name: Fail
          ansible.builtin.assert:
            that: undefined_name > 1
      rescue:
        - name: Tell
          ansible.builtin.debug:
            msg:
              - "{{ ansible_failed_task.name }}: {{ ansible_failed_result.msg }}"
              - "{{ seen }}, {{ untouched }}, {{ kept.results | length }}"

    - name: Run a module
      ansible.builtin.command: "echo {{ seen | join }}"
      register: echoed
      changed_when: false

    - name: End
      ansible.builtin.fail:
        msg: "{{ echoed.stdout }}{{ item }}"
      loop: [1, 2]
  handlers:
    - name: Tell
      ansible.builtin.debug:
        msg: Told
"""


def play(folder: Path, strategy: str) -> str:
    """What the playbook prints under a strategy."""
    folder.mkdir()
    (folder / "playbook.yml").write_text(PLAYBOOK)
    (folder / "more.yml").write_text('- name: Say more\n  ansible.builtin.debug:\n    msg: "{{ word }}, {{ seen }}"\n')
    (folder / "hosts").write_text("one\ntwo\n")
    (folder / "ansible.cfg").write_text(
        f"[defaults]\nstrategy = {strategy}\nstrategy_plugins = {ROOT}/plugins/strategy\ndeprecation_warnings = false\n"
        f"interpreter_python = {sys.executable}\n"
    )
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "--inventory=hosts",
        "--connection=local",
        "playbook.yml",
    ]
    environment = os.environ | {"ANSIBLE_CONFIG": str(folder / "ansible.cfg")}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    return (done.stdout + done.stderr).replace(str(folder), "")


def said(printed: str) -> list[str]:
    """What was printed, sorted, a line for each host; whether two hosts include together depends on who is faster."""
    lines = {line for line in printed.splitlines() if line.startswith("TASK [")}
    rest: list[str] = []
    for line in printed.splitlines():
        if included := re.fullmatch(r"(included: \S+ for )([a-z, ]+)(.*)", line):
            rest += [included[1] + host.strip() + included[3] for host in included[2].split(",")]
        elif line and line not in lines:
            rest.append(line)
    return sorted([*lines, *rest])


def test_a_play_goes_as_it_goes_under_linear(tmp_path: Path) -> None:
    ours, theirs = (play(tmp_path / strategy, strategy) for strategy in ("mitogen_linear", "linear"))
    assert "aonebone1" in ours
    assert said(ours) == said(theirs)
