"""How fast a link may submit: a rate in segments per second, lowered while the SMSC says "too fast" (AIMD).

Spacing is a GCRA (ITU-T I.371 annex A) with a tolerance of `TOLERANCE`, since timers are not exact. With each epoch,
a second or longer where that is few submits, the rate is multiplied by 1 - share², where `share` of its submits was
throttled, and a fortieth of the full rate is added: stray refusals cost little, a flood of them nearly everything, and
the link never stops; of fewer than five answers the share counts for less. An unlimited link that is throttled gets a
rate from what the SMSC took in its best second; it is unlimited again when nothing has been throttled for as long as a
recovery takes.

Some SMSCs refuse a share of everything, however slow one is. So while few are refused, an epoch is tried at half as
much again, now and then: if more is taken, the refusals were not for the speed, and their share costs nothing from
then on. The same is tried at once where nothing is refused of more than was taken while something was: what the SMSC
was short of is there again, and the full rate is seconds away instead of most of a minute. Where all was refused, the
rate is doubled with every half second in which nothing is.

A submit of which the SMSC makes several segments counts as those: it is followed by as long a pause.

After an outage the link begins with a quarter of its rate and doubles it step by step: whoever comes back has others
to serve as well, and a backlog to send. Throttled meanwhile, it goes on from there as always. No I/O, no clock.
"""

from __future__ import annotations

from math import inf
from typing import Final

TOLERANCE: Final = 0.02  # s by which submits may come early
EPOCH: Final = 1.0  # s between two changes of the rate, at least,
ENOUGH: Final = 20  # submits that an epoch should have,
LONGEST: Final = 4.0  # and s after which it ends without them
RECOVERY: Final = 40.0  # s for the way from nothing back to the full rate
LEAST: Final = 0.5  # segments/s: below it a recovery would not be noticed
ASSUMED: Final = 20.0  # segments/s that an account without a configured rate is taken to stand at least
BREATH: Final = 1.0  # s without submits when the SMSC says that it is full
NEARLY_FULL: Final = 90  # congestion_state, in percent (SMPP 5.0 section 4.8.4.18)
FULL: Final = 100
RESTART: Final = 0.25  # of the full rate, after an outage
SHUT: Final = 0.9  # share of an epoch that is throttled where the SMSC takes nothing
FEW: Final = 3  # submits that an epoch should have after that, as long as none is throttled; and that must be
# throttled in an epoch of an unlimited link, before it is limited
JUDGED: Final = 5  # answers of which a share says something
PROBE: Final = 1.5  # by which the rate is raised to see whether more is taken
PROBE_BELOW: Final = 0.35  # share that may be throttled when that is tried
PROOF: Final = 3  # raises in a row that must have been of use: one or two may be chance
MORE: Final = 1.05  # times what was taken beside refusals, without any: beyond what epochs differ in by chance
PATIENCE: Final = (2.0, 60.0)  # s until it is tried again after it was no use: the first time, at most
_FADE: Final = 0.95  # the best second counts for less with every epoch
_FORGET: Final = 0.99  # so does a share that speed has nothing to do with


class Pace:
    """The pace of one link. Times are seconds of any monotonic clock. `limit`: configured rate, None: unlimited.
    `step`: s until the rate is doubled after an outage, 0: it is full at once."""

    def __init__(self, limit: float | None, now: float, step: float = 0.0) -> None:
        self._limit = limit or inf
        self.rate = self._limit
        self._next = now  # when the next submit may go
        self._epoch = now
        self._taken = 0  # segments of this epoch
        self._refused = 0
        self._answers = 0  # submits that they were
        self._phones: set[str] = set()  # whose were refused
        self._refused_at = now  # the last time
        self._best = 0.0  # segments/s taken in the best epoch of late
        self._shut = False  # in that epoch nearly everything was refused
        self._ceiling = 0.0  # segments/s taken in the last epoch that had refusals
        self._stray = 0.0  # share of submits that is refused at any rate
        self._probe: tuple[float, float, float] | None = None  # rate, taken/s and share before it was raised
        self._probe_at = now  # when it may be raised
        self._patience = PATIENCE[0]
        self._gains = 0  # raises in a row that were of use
        self._step = step
        self._share: float | None = None  # of the full rate, after an outage
        self._step_at = 0.0  # when it is doubled

    def limit_to(self, limit: float | None, now: float) -> None:
        """The configured rate is another now; what was below it stays so."""
        new, old = limit or inf, self._limit
        left = max(0.0, self._next - now)
        if new > old:
            left *= old / new
        if self.rate == old:
            self.rate = new
        elif inf not in (old, new):
            self.rate *= new / old
        self.rate = min(self.rate, new)
        self._limit = new
        self._next = now + left

    def restart_by(self, step: float) -> None:
        """As `step` above, from the next outage on."""
        self._step = step

    def wait(self, now: float) -> float:
        """Seconds until a submit may go, 0 for now."""
        return max(0.0, self._next - TOLERANCE - now) if self._next > now else 0.0

    def spend(self, now: float, segments: int = 1) -> None:
        """A submit goes, of which the SMSC makes so many segments."""
        rate = self.rate if self._share is None else self.allowed(now)
        if rate != inf:
            self._next = max(self._next, now) + segments / rate

    @property
    def limit(self) -> float:
        """The configured rate, in segments/s; infinite: none."""
        return self._limit

    def allowed(self, now: float) -> float:
        """The rate of this moment, in segments/s."""
        while self._share is not None and now >= self._step_at:
            self._share = self._share * 2 if self._share < 0.5 else None
            self._step_at += self._step
        return self.rate if self._share is None else min(self.rate, self._share * self._full)

    @property
    def _full(self) -> float:
        return self._limit if self._limit != inf else max(self._best, ASSUMED)

    def restart(self, now: float) -> None:
        """There was an outage, and it is over."""
        if self._step:
            self._share, self._step_at = RESTART, now + self._step
            self._next = max(self._next, now)

    def taken(self, now: float, segments: int = 1) -> None:
        """A submit has been answered, whatever the answer was, and not for its speed."""
        if self._shut and self._refused and not self._taken:  # the SMSC takes something again
            self._begin(now)
        self._taken += segments
        self._answers += 1
        if self._is_over(now):
            self._turn(now)

    def throttled(self, now: float, segments: int = 1, phone: str = "") -> None:
        """A submit was too fast. Of one phone it counts once in an epoch: it may be its own queue that is full."""
        if phone in self._phones:
            return
        if phone:
            self._phones.add(phone)
        self._refused += segments
        self._answers += 1
        self._refused_at = now
        if self._share is not None:
            self.rate, self._share = self.allowed(now), None
        if self.rate == inf and self._refused >= FEW:
            # Not a second is waited for: at an unlimited rate it would cost thousands of refusals.
            self._best = max(self._best, self._taken / max(now - self._epoch, 0.1), ASSUMED)
            self.rate = self._best
            self._begin(now)
        elif self._is_over(now):
            self._turn(now)

    def congested(self, level: int, now: float) -> None:
        """The SMSC says how loaded it is, in percent."""
        if level >= FULL:
            self._next = max(self._next, now + BREATH)
        if level >= NEARLY_FULL:
            self.throttled(now)

    def _is_over(self, now: float) -> bool:
        lasted = now - self._epoch
        if self._shut and not self._refused:
            return lasted >= EPOCH / 2 and self._answers >= FEW
        return lasted >= EPOCH and (self._answers >= ENOUGH or lasted >= LONGEST)

    def _turn(self, now: float) -> None:
        """An epoch is over."""
        lasted = now - self._epoch
        taken = self._taken / lasted
        self._best = max(taken, self._best * _FADE)
        if self.rate != inf:
            share = self._refused / (self._taken + self._refused)
            self._judge(share, taken, now)
            excess = max(0.0, share - self._stray) * min(1.0, self._answers / JUDGED)
            grown = self._full / RECOVERY * min(lasted, RECOVERY)
            if self._may_raise(share, taken, lasted, now):
                reopening = self._shut and not share  # where nothing is refused, nothing has to be proven
                self._probe = None if reopening else (self.rate, taken, share)
                self.rate = min(max(self.rate * (2.0 if reopening else PROBE), self.rate + grown), self._limit)
            else:
                self.rate = max(LEAST, self.rate * (1 - excess * excess)) + grown
            if share:
                self._ceiling, self._shut = taken, share >= SHUT
            if self.rate >= self._limit or now - self._refused_at >= RECOVERY:
                self.rate = self._limit
        self._begin(now)

    def _judge(self, share: float, taken: float, now: float) -> None:
        """Was it of use that the rate had been raised?"""
        self._stray *= _FORGET
        if self._probe is None:
            return
        (rate, before, share_before), self._probe = self._probe, None
        if taken >= before * (1 + (self.rate / rate - 1) / 2):
            self._gains += share_before > 0
            if self._gains >= PROOF:
                self._stray = max(self._stray, min(share, share_before))
                self._patience = PATIENCE[0]
        else:
            self._gains = 0
            self.rate = rate
            self._probe_at = now + self._patience
            self._patience = min(2 * self._patience, PATIENCE[1])

    def _may_raise(self, share: float, taken: float, lasted: float, now: float) -> bool:
        """The rate is what holds the link back, and more may be taken than it lets through."""
        used = (self._taken + self._refused) / lasted >= 0.8 * self.rate
        if not used or self.rate >= self._limit:
            return False
        if not share:
            return taken > MORE * self._ceiling
        return share <= PROBE_BELOW and now >= self._probe_at

    def _begin(self, now: float) -> None:
        self._epoch, self._taken, self._refused, self._answers = now, 0, 0, 0
        self._phones.clear()
