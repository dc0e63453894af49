"""Every kind of credential that is each caller's own, behind the one port that sessions know."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from extproc.adapters.token_exchange import TokenExchange
from extproc.adapters.user_tokens import UserTokens
from extproc.exchange.refusal import Refusal
from extproc.policy.oauth import Delegation, UserTokenSource
from extproc.session.ports import Caller, Injected, TokenNeeded


class DelegatedCredentials:
    """Implements `session.ports.Delegated`. Arguments as of `TokenExchange`."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float], chance: Callable[[], float]) -> None:
        # Two pools: an authorization server that does not answer must not hold up who only needs a file.
        self._stored = UserTokens(ThreadPoolExecutor(2, thread_name_prefix="user-tokens"), clock)
        self._exchanged = TokenExchange(environ, ThreadPoolExecutor(8, thread_name_prefix="exchange"), clock, chance)

    def inject(self, source: Delegation, caller: Caller) -> Injected | Refusal | TokenNeeded:
        """See the port."""
        if isinstance(source, UserTokenSource):
            return self._stored.inject(source, caller)
        return self._exchanged.inject(source, caller)

    def rejection(self, source: Delegation, caller: Caller) -> Callable[[], Refusal]:
        """See the port."""
        if isinstance(source, UserTokenSource):
            return self._stored.rejection(source, caller)
        return self._exchanged.rejection(source, caller)
