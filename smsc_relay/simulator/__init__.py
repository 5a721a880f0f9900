"""A simulated SMSC: scripted, on one machine, as a command and in-process."""

from smsc_relay.simulator.script import Script, ScriptError, load
from smsc_relay.simulator.simulator import Simulator

__all__ = ["Script", "ScriptError", "Simulator", "load"]
