"""Dates as people write them, against datetime, pandas and the ISO calendar."""

import datetime

import numpy as np
import pandas as pd
import pytest

from perennial.modalities.calendars import WRITINGS, Calendar, recognise

DAYS = [datetime.datetime(2019, 1, 1) + datetime.timedelta(days=37 * i, minutes=61 * i) for i in range(60)]
AS_STRFTIME = {
    "year-month-day": "%Y-%m-%d", "day-month-year": "%d/%m/%Y", "month-day-year": "%m/%d/%Y", "day-month-yy": "%d.%m.%y",
    "month-day-yy": "%m/%d/%y", "day-name-year": "%d %B %Y", "name-day-year": "%b %d, %Y", "day-name-yy": "%d-%b-%y",
    "yyyymmdd": "%Y%m%d", "iso-week": "%G-W%V-%u",
}  # fmt: skip


def recognised(texts):
    return recognise(texts, np.ones(len(texts)))


@pytest.mark.parametrize("name", sorted(AS_STRFTIME))
@pytest.mark.parametrize("clock", ["", " %H:%M", " %I:%M %p", "T%H:%M:%S"])
def test_what_strftime_writes_is_read_back(name, clock):
    texts = [day.strftime(AS_STRFTIME[name] + clock) for day in DAYS]
    expected = [datetime.datetime.strptime(text, AS_STRFTIME[name] + clock) for text in texts]
    calendar, _, _ = recognised(texts)
    assert np.array_equal(calendar.parse(texts), np.array(expected, dtype="datetime64[s]"))


@pytest.mark.parametrize("name, texts", [("year-month", ["2024-01", "2023-12"]), ("month-year", ["01/2024", "12/2023"]),
                                         ("name-year", ["January 2024", "Dec 2023"])])  # fmt: skip
def test_a_month_is_its_first_day(name, texts):
    calendar, _, _ = recognised(texts)
    assert calendar.format == name
    assert calendar.parse(texts).astype("datetime64[D]").astype(str).tolist() == ["2024-01-01", "2023-12-01"]


def test_every_week_of_the_iso_calendar_is_found():
    pairs = [(year, week) for year in (2015, 2016, 2020, 2021) for week in (1, 10, 52, 53)]
    texts = [f"{year}-W{week:02d}" for year, week in pairs if not (week == 53 and year in (2016, 2021))]
    expected = [datetime.date.fromisocalendar(int(text[:4]), int(text[6:]), 1) for text in texts]
    found = Calendar("iso-week").parse(texts).astype("datetime64[D]")
    assert np.array_equal(found, np.array(expected, dtype="datetime64[D]"))


def test_a_single_row_with_a_thirteenth_decides_the_whole_column():
    assert recognised(["01/02/2024", "03/04/2024", "13/04/2024"])[0].format == "day-month-year"
    assert recognised(["01/02/2024", "03/04/2024", "04/13/2024"])[0].format == "month-day-year"


def test_where_both_readings_fit_the_one_in_order_of_time_is_taken_and_the_rival_is_named():
    calendar, _, rival = recognised(["01/12/2023", "02/01/2023", "02/05/2023"])
    assert (calendar.format, rival) == ("month-day-year", "day-month-year")
    calendar, _, rival = recognised(["05/04/2024", "01/02/2024", "03/03/2024"])
    assert (calendar.format, rival) == ("day-month-year", "month-day-year")


def test_days_and_times_that_do_not_exist_are_missing():
    texts = [
        "30/02/2024",
        "29/02/2023",
        "29/02/2024",
        "31/04/2024",
        "00/01/2024",
        "01/01/2024 25:00",
        "01/01/2024 10:61",
    ]
    assert np.isnat(Calendar("day-month-year").parse(texts)).tolist() == [
        True,
        True,
        False,
        True,
        True,
        True,
        True,
    ]


def test_zones_are_taken_to_utc_as_pandas_does():
    texts = [
        "2024-01-31T10:00:00+02:00",
        "2024-01-31T10:00:00Z",
        "2024-01-31 10:00:00-0530",
        "2024-06-01T00:30:00+01",
    ]
    expected = pd.to_datetime(pd.Series(texts), utc=True, format="mixed").dt.tz_localize(None)
    assert np.array_equal(
        Calendar("year-month-day").parse(texts), expected.to_numpy().astype("datetime64[s]")
    )


def test_half_past_twelve_at_night_is_hour_zero():
    texts = ["12:30 AM", "12:30 PM", "1:05 pm", "23:59", "13:00 pm"]
    found = Calendar("time-of-day").parse(texts)
    assert [str(moment)[11:16] for moment in found] == ["00:30", "12:30", "13:05", "23:59", ""]


@pytest.mark.parametrize("texts", [["1.2.3", "4.5.6"], ["16:9", "4:3"], ["10.1.12.24"], ["a1", "b2"], ["3.5", "4.25"], [],
                                   ["2024-02-30", "2024-13-01"], ["room 12", "room 13"], ["1/2", "3/4"],
                                   ["Marathon 2020", "Decade 1990", "Sepia 2001"], ["Junior 2004", "Mayor 1999"],
                                   ["Money 5 Jan 2024", "Sunset 6 Jan 2024"]])  # fmt: skip
def test_what_is_no_date_stays_none(texts):
    assert recognised(texts)[0] is None


def test_cells_are_counted_not_levels():
    texts, counts = ["2024-01-01", "unknown", "2024-01-02"], np.array([50, 1, 49])
    assert recognise(texts, counts)[0] is not None
    assert recognise(texts, np.array([5, 90, 5]))[0] is None


def test_missing_and_empty_columns_parse_to_nothing():
    assert np.isnat(Calendar("year-month-day").parse([None, "", "  "])).all()
    assert Calendar("year-month-day").parse([]).dtype == "datetime64[s]"


def test_every_writing_has_a_test():
    assert set(AS_STRFTIME) | {"year-month", "month-year", "name-year"} == set(WRITINGS)


@pytest.mark.parametrize("spelling", [str.upper, str.lower, str.title])
@pytest.mark.parametrize("form", ["%a, %d %b %Y", "%A %d %B %Y", "%B %d, %Y", "%d. %b. %Y"])
def test_months_and_weekdays_are_known_in_capitals_too(spelling, form):
    texts = [spelling(day.strftime(form)) for day in DAYS]
    expected = np.array([day.date() for day in DAYS], dtype="datetime64[s]")
    assert np.array_equal(recognised(texts)[0].parse(texts), expected)


def test_usual_abbreviations_of_months_and_weekdays_are_known():
    texts = ["Sept. 5, 2024", "Sep 5 2024", "Tues, Sept 5TH, 2024", "Thurs Sep 5, 2024", "Weds Sep 5 2024"]
    found = Calendar("name-day-year").parse(texts).astype("datetime64[D]").astype(str).tolist()
    assert found == ["2024-09-05"] * 4 + ["NaT"]


@pytest.mark.parametrize("year", range(2000, 2030))
def test_weeks_that_the_iso_calendar_does_not_have_are_missing(year):
    for week in (0, 1, 52, 53, 54):
        try:
            expected = str(datetime.date.fromisocalendar(year, week, 7))
        except ValueError:
            expected = "NaT"
        assert (
            str(Calendar("iso-week").parse([f"{year}-W{week:02d}-7"])[0].astype("datetime64[D]")) == expected
        )


def test_zones_that_do_not_exist_are_missing():
    texts = [
        f"2024-01-31 10:00{zone}"
        for zone in ("+14:00", "-1200", "+23:59", "+24:00", "+05:60", "+99:99", "+99")
    ]
    assert np.isnat(Calendar("year-month-day").parse(texts)).tolist() == [False] * 3 + [True] * 4
