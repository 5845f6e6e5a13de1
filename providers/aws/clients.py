"""boto3 clients, made when first needed, with every wait bounded."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from providers.settings_values import nearest

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_autoscaling.client import AutoScalingClient
    from mypy_boto3_ec2.client import EC2Client

    from providers.aws.settings import AwsSettings

_CONNECT_S = 3.0
_PRICE_LISTS = {"eu-": "eu-central-1", "ap-": "ap-south-1", "cn-": "cn-northwest-1"}
_LONG_POLL_S = 20.0
_ATTEMPTS = 3  # botocore's standard mode: jittered waits of at most 1 s and 2 s in between


class Clients:
    """One account and region. A call ends within `_ATTEMPTS * (_CONNECT_S + read_timeout_s)` and 3 s of waits.

    Making a client may raise any of `faults.CLOUD_ERRORS` (no region, no such profile).
    """

    def __init__(self, settings: AwsSettings, *, read_timeout_s: float) -> None:
        self._settings = settings
        self._read_timeout_s = read_timeout_s
        self._making = threading.Lock()

    @cached_property
    def region(self) -> str:
        """The region in use, such as `us-east-1`."""
        return self.autoscaling.meta.region_name

    def unknown_region(self) -> str:
        """A sentence about a region that there is none of; empty when it is known, or another address was named."""
        if not self.autoscaling.meta.endpoint_url.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return ""
        with self._making:
            partitions = self._session.get_available_partitions()
            known = [
                region
                for each in partitions
                for region in self._session.get_available_regions("autoscaling", partition_name=each)
            ]
        return "" if self.region in known else f"unknown region {self.region!r}{nearest(self.region, known)}"

    @cached_property
    def autoscaling(self) -> AutoScalingClient:
        """For reads and for writes that may be repeated."""
        from botocore.exceptions import InvalidEndpointConfigurationError, InvalidRegionError

        try:
            return cast("AutoScalingClient", self._made("autoscaling"))
        except InvalidRegionError:
            raise
        except ValueError as error:  # of AWS_ENDPOINT_URL or a profile; the configuration's own has been checked
            raise InvalidEndpointConfigurationError(msg=str(error)) from error

    @cached_property
    def autoscaling_once(self) -> AutoScalingClient:
        """For writes that count: a lost answer must not send them a second time."""
        return cast("AutoScalingClient", self._made("autoscaling", attempts=1))

    @cached_property
    def ec2(self) -> EC2Client:
        """For launch templates and zones."""
        return cast("EC2Client", self._made("ec2"))

    @cached_property
    def pricing(self) -> Any:
        """For the price list, which Amazon keeps in a few regions for all of them."""
        home = next((home for part, home in _PRICE_LISTS.items() if self.region.startswith(part)), "us-east-1")
        return self._made("pricing", region=home)

    def client(self, service: str) -> Any:
        """`ec2` or `pricing`."""
        return getattr(self, service)

    @cached_property
    def service_quotas(self) -> Any:
        """For service quotas."""
        return self._made("service-quotas")

    @cached_property
    def sqs(self) -> Any:
        """For the queue of notices, where an answer may take as long as there is nothing to say."""
        return self._made("sqs", longer_s=_LONG_POLL_S)

    def _made(self, service: str, *, attempts: int = _ATTEMPTS, region: str | None = None, longer_s: float = 0) -> Any:
        """A client; one at a time, as sessions are not safe to share."""
        with self._making:
            new_client: Any = self._session.client  # its stubs want the name of the service literally
            config = self._config(attempts, self._read_timeout_s + longer_s)
            return new_client(
                service, region_name=region, endpoint_url=self._settings.endpoint_url or None, config=config
            )

    @cached_property
    def _session(self) -> Session:
        import boto3
        from botocore.exceptions import CredentialRetrievalError

        session = boto3.Session(region_name=self._settings.region or None)
        try:
            session.get_credentials()  # looked up now: a credential process may fail in ways that botocore lets through
        except (OSError, ValueError) as error:
            raise CredentialRetrievalError(provider="the profile's credential_process", error_msg=str(error)) from error
        return session

    def _config(self, attempts: int, read_timeout_s: float) -> Config:
        from botocore.config import Config

        return Config(
            connect_timeout=_CONNECT_S,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": attempts},
            user_agent_extra="gpu-autoscale",
        )
