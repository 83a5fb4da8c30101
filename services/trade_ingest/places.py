"""Whether two ways of writing a place name the same city: 杭州, 杭州市, 浙江省杭州市, 浙江 杭州 西湖区.

Couriers name a city, platforms a province and city in one string or in parts. Compared is the city's bare name, and
only where both have one: a province alone (吉林) is no city, though one be called like it.
"""

import re

_PROVINCES = (
    "内蒙古", "黑龙江", "北京", "天津", "河北", "山西", "辽宁", "吉林", "上海", "江苏", "浙江", "安徽", "福建", "江西",
    "山东", "河南", "湖北", "湖南", "广东", "广西", "海南", "重庆", "四川", "贵州", "云南", "西藏", "陕西", "甘肃",
    "青海", "宁夏", "新疆", "台湾", "香港", "澳门",
)  # fmt: skip
_CITY_PROVINCES = frozenset({"北京", "天津", "上海", "重庆", "香港", "澳门"})
"""直辖市, 特别行政区: the province is the city."""

_PROVINCE = re.compile(
    rf"({'|'.join(_PROVINCES)})(?:省|市|特别行政区|壮族自治区|回族自治区|维吾尔自治区|自治区)?[\s/,,·-]*"
)
_CITY = re.compile(r"([^\s/,,·-]+?)(?:市|地区|自治州|盟|[\s/,,·-]|$)")


def same_city(city: str, region: str) -> bool:
    """Whether a courier's city is the one of a region (province and city). False where either has none."""
    there = _city(region)
    return bool(city and there) and (_city(city) or _bare(city)) == there


def _city(place: str) -> str:
    """The bare name of the city; empty where the place is only a province, or nothing."""
    rest = place.strip()
    if found := _PROVINCE.match(rest):
        if found[1] in _CITY_PROVINCES:
            return found[1]
        rest = rest[found.end() :]
    return _bare(rest)


def _bare(text: str) -> str:
    found = _CITY.match(text.strip())
    return found[1] if found else ""
