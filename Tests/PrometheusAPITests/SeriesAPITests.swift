import JSON
import MetricModel
import MetricStore
import Testing
import WebFixture

@testable import PrometheusAPI

@Suite struct SeriesAPITests {
    private func fixture() throws -> WebFixture {
        let fixture = try WebFixture()
        try fixture.append(["__name__": "up", "job": "b", "instance": "1"], [1, 1, 1])
        try fixture.append(["__name__": "up", "job": "a", "instance": "2"], from: 600_000, [1])
        try fixture.append(["__name__": "http.requests", "job": "a", "http.code": "200"], [5])
        return fixture
    }

    @Test func seriesAreThoseThatMatchAnySelector() throws {
        let fixture = try fixture()
        #expect(
            try fixture.data("/api/v1/series?match[]=up").encoded
                == #"[{"__name__":"up","instance":"1","job":"b"},{"__name__":"up","instance":"2","job":"a"}]"#)
        let both = try fixture.data("/api/v1/series?match[]=up{job=~%22b%22}&match[]={__name__=%22http.requests%22}")
        #expect(both.elements?.count == 2)
        #expect(try fixture.data("/api/v1/series?match[]=nothing") == [])
    }

    @Test func seriesWithoutSamplesInTheRangeAreLeftOut() throws {
        let fixture = try fixture()
        func instances(_ window: String) throws -> [String] {
            (try fixture.data("/api/v1/series?match[]=up&\(window)").elements ?? []).compactMap { $0["instance"]?.text }
        }
        #expect(try instances("start=60") == ["2"])
        #expect(try instances("end=30") == ["1"])
        #expect(try instances("start=0&end=1e9") == ["1", "2"])
        #expect(try instances("start=1000&end=2000") == [])
        #expect(try fixture.data("/api/v1/labels?start=1000&end=2000").encoded == "[]")
        #expect(try fixture.data("/api/v1/label/job/values?start=1000&end=2000").encoded == "[]")
        #expect(try fixture.data("/api/v1/label/job/values?match[]=up&start=500").encoded == #"["a"]"#)
        #expect(
            try fixture.error("/api/v1/series?match[]=up&start=x")
                == #"400 bad_data: invalid parameter "start": invalid time value for 'start': "#
                + #"cannot parse "x" to a valid timestamp"#)
    }

    @Test func aSeriesThatEndedIsLeftOutAlthoughItsTargetGoesOn() throws {
        let fixture = try WebFixture()
        let lane = try fixture.store.openLane("target")
        let slots = [
            try lane.slot(for: ["__name__": "up", "pod": "dead"]),
            try lane.slot(for: ["__name__": "up", "pod": "live"]),
        ]
        for row in 0..<300 {
            var appender = lane.beginAppend(at: Timestamp(milliseconds: Int64(row) * 15_000))
            if row < 100 { appender.append(slots[0], 1) }
            appender.append(slots[1], 1)
            try appender.commit()
            // As scraping does with a series that is no longer exposed.
            if row == 100 { lane.retire(slots[0]) }
        }
        // Two sealed chunks of 64 rows are between the end of one and the start of the range.
        #expect(try fixture.data("/api/v1/label/pod/values?start=4000&end=5000").encoded == #"["live"]"#)
        #expect(try fixture.data("/api/v1/label/pod/values?start=1480&end=1485").encoded == #"["dead","live"]"#)
        #expect(try fixture.data("/api/v1/label/pod/values?start=1500&end=1530").encoded == #"["live"]"#)
    }

    @Test func limitTruncatesWithAWarning() throws {
        let fixture = try fixture()
        let cut = try JSON(parsing: fixture.text("/api/v1/series?match[]=up&limit=1"))
        #expect(cut["data"]?.elements?.count == 1)
        #expect(cut["warnings"] == ["results truncated due to limit"])
        let whole = try JSON(parsing: fixture.text("/api/v1/series?match[]=up&limit=2"))
        #expect(whole["data"]?.elements?.count == 2)
        #expect(whole["warnings"] == nil)
        #expect(try fixture.error("/api/v1/labels?limit=-1").hasPrefix("400 bad_data"))
    }

    @Test func selectorsAreRequiredAndMustSelect() throws {
        let fixture = try fixture()
        #expect(try fixture.error("/api/v1/series") == "400 bad_data: no match[] parameter provided")
        for selector in ["{}", "{a=~%22.*%22}", "{a!=%22b%22}"] {
            let error = try fixture.error("/api/v1/series?match[]=\(selector)")
            #expect(error.hasPrefix("400 bad_data: invalid parameter \"match[]\": "))
            #expect(error.hasSuffix("must contain at least one non-empty matcher"))
        }
        #expect(try fixture.error("/api/v1/series?match[]=sum(up)").hasPrefix("400 bad_data: invalid parameter"))
        #expect(try fixture.error("/api/v1/series?match[]=a{b=~%22(%22}").hasPrefix("400 bad_data"))
    }

    @Test func labelNamesAndValuesAreSorted() throws {
        let fixture = try fixture()
        #expect(try fixture.data("/api/v1/labels") == ["__name__", "http.code", "instance", "job"])
        #expect(try fixture.data("/api/v1/labels?match[]=up") == ["__name__", "instance", "job"])
        #expect(try fixture.data("/api/v1/label/job/values") == ["a", "b"])
        #expect(try fixture.data("/api/v1/label/job/values?match[]=up{job=%22b%22}") == ["b"])
        #expect(try fixture.data("/api/v1/label/nothing/values") == [])
    }

    @Test func escapedLabelNamesAreRead() throws {
        let fixture = try fixture()
        #expect(try fixture.data("/api/v1/label/U__http_2e_code/values") == ["200"])
        #expect(try fixture.data("/api/v1/label/http.code/values") == ["200"])
    }

    @Test(arguments: [
        ("job", "job"), ("U__http_2e_status__code", "http.status_code"), ("U__", ""), ("U__a_zz_", "U__a_zz_"),
        ("U__a_2e", "U__a_2e"), ("U__a_1f600_", "a😀"), ("U__d800_d800_", "U__d800_d800_"), ("U__caf_e9_", "café"),
    ])
    func escapedNamesAreDecodedOrLeftAlone(text: String, name: String) {
        #expect(EscapedName.decoded(text) == name)
    }
}
