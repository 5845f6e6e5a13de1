"""Amazon's prices as a stage: a few types on moto, and what moto lacks answered at the wire, in Amazon's own form."""

import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from .wire import Wire

TYPES = ("g4dn.xlarge", "g5.xlarge", "g6f.large", "p5.48xlarge", "inf2.xlarge", "m7i.large", "mac2.metal")
_JSON, _XML = "application/x-amz-json-1.1", "text/xml"


@dataclass
class Prices:
    """What an account is told. `on_demand` in US$ unless `currency` says otherwise; `spot` by zone name."""

    wire: Wire
    on_demand: dict[str, str] = field(default_factory=lambda: {"g4dn.xlarge": "0.5260000000", "g5.xlarge": "1.006"})
    spot: dict[tuple[str, str], str] = field(
        default_factory=lambda: {("g4dn.xlarge", "us-east-1a"): "0.213", ("g5.xlarge", "us-east-1a"): "0.45"}
    )
    scores: dict[str, int] = field(default_factory=lambda: {"use1-az6": 9, "use1-az1": 3})
    currency: str = "USD"

    def __post_init__(self) -> None:
        many = "".join(f"&InstanceType.{n}={name}" for n, name in enumerate(TYPES, 1))
        names = "".join(f"&Filter.1.Value.{n}={name}" for n, name in enumerate(TYPES, 1))
        self.wire.narrowed["DescribeInstanceTypes"] = many
        self.wire.narrowed["DescribeInstanceTypeOfferings"] = f"&Filter.1.Name=instance-type{names}"
        self.wire.answers |= {
            "GetProducts": self._products,
            "DescribeSpotPriceHistory": self._history,
            "GetSpotPlacementScores": self._scores,
        }

    def _products(self, body: str) -> tuple[str, str]:
        """Two pages, the first with one row."""
        asked = json.loads(body)
        filters = {each["Field"]: each["Value"] for each in asked["Filters"]}
        assert filters["regionCode"] == "us-east-1"
        assert (filters["operatingSystem"], filters["tenancy"]) == ("Linux", "Shared")
        rows = [self._product(name, price) for name, price in self.on_demand.items()]
        if "NextToken" in asked:
            return _JSON, json.dumps({"FormatVersion": "aws_v1", "PriceList": rows[1:]})
        return _JSON, json.dumps({"FormatVersion": "aws_v1", "PriceList": rows[:1], "NextToken": "more"})

    def _product(self, name: str, price: str) -> str:
        dimension = {"unit": "Hrs", "beginRange": "0", "endRange": "Inf", "pricePerUnit": {self.currency: price}}
        terms = {"OnDemand": {"A.B": {"offerTermCode": "B", "priceDimensions": {"A.B.C": dimension}}}}
        attributes = {"instanceType": name, "operatingSystem": "Linux", "usagetype": f"BoxUsage:{name}"}
        return json.dumps({"serviceCode": "AmazonEC2", "product": {"attributes": attributes}, "terms": terms})

    def _history(self, body: str) -> tuple[str, str]:
        """The newest first, and an older one that no longer holds."""
        assert parse_qs(body)["ProductDescription.1"] == ["Linux/UNIX"]
        items = "".join(
            f"<item><instanceType>{name}</instanceType><productDescription>Linux/UNIX</productDescription>"
            f"<spotPrice>{price}</spotPrice><timestamp>{at}</timestamp><availabilityZone>{zone}</availabilityZone></item>"
            for (name, zone), newest in self.spot.items()
            for price, at in ((newest, "2026-11-25T10:00:00.000Z"), ("0.111", "2026-11-24T10:00:00.000Z"))
        )
        return _XML, _answer("DescribeSpotPriceHistory", f"<spotPriceHistorySet>{items}</spotPriceHistorySet>")

    def _scores(self, body: str) -> tuple[str, str]:
        asked = parse_qs(body)
        assert asked["SingleAvailabilityZone"] == ["true"]
        items = "".join(
            f"<item><region>us-east-1</region><availabilityZoneId>{zone}</availabilityZoneId><score>{score}</score></item>"
            for zone, score in self.scores.items()
        )
        return _XML, _answer("GetSpotPlacementScores", f"<spotPlacementScoreSet>{items}</spotPlacementScoreSet>")


def _answer(action: str, inside: str) -> str:
    space = escape("http://ec2.amazonaws.com/doc/2016-11-15/")
    return f'<{action}Response xmlns="{space}"><requestId>1</requestId>{inside}</{action}Response>'
