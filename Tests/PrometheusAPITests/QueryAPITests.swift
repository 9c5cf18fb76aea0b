import CurlHTTP
import JSON
import MetricModel
import MetricStore
import Testing
import WebCore
import WebFixture

@testable import PrometheusAPI

@Suite struct QueryAPITests {
    @Test(arguments: [
        (
            "query=up&time=x",
            #"invalid parameter "time": invalid time value for 'time': cannot parse "x" to a valid timestamp"#
        ),
        (
            "query=up&time=NaN",
            #"invalid parameter "time": invalid time value for 'time': cannot parse "NaN" to a valid timestamp"#
        ),
        ("query=up&timeout=y", #"invalid parameter "timeout": cannot parse "y" to a valid duration"#),
        ("query=up&limit=-1", #"invalid parameter "limit": limit must be non-negative"#),
        ("query=up&limit=1.5", #"invalid parameter "limit": strconv.Atoi: parsing "1.5": invalid syntax"#),
        ("query=up&lookback_delta=z", #"error parsing lookback delta duration: cannot parse "z" to a valid duration"#),
        ("query=up%2B", #"invalid parameter "query": 1:4: parse error: unexpected end of input"#),
    ])
    func wrongParametersOfAQueryAreNamed(parameters: String, message: String) throws {
        let fixture = try WebFixture()
        #expect(try fixture.error("/api/v1/query?\(parameters)") == "400 bad_data: \(message)")
    }

    @Test(arguments: [
        ("", #"invalid parameter "start": cannot parse "" to a valid timestamp"#),
        ("start=1", #"invalid parameter "end": cannot parse "" to a valid timestamp"#),
        ("start=2&end=1&step=1", #"invalid parameter "end": end timestamp must not be before start time"#),
        ("start=1&end=2", #"invalid parameter "step": cannot parse "" to a valid duration"#),
        (
            "start=1&end=2&step=0",
            #"invalid parameter "step": zero or negative query resolution step widths are not accepted. "#
                + "Try a positive integer"
        ),
        (
            "start=1&end=2&step=0.0009",
            #"invalid parameter "step": zero or negative query resolution step widths are not accepted. "#
                + "Try a positive integer"
        ),
        (
            "start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. "
                + "Try decreasing the query resolution (?step=XX)"
        ),
        (
            "start=0&end=1&step=1e20",
            #"invalid parameter "step": cannot parse "1e20" to a valid duration. It overflows int64"#
        ),
        (
            "start=0&end=1&step=1&query=up[5m]",
            #"invalid parameter "query": invalid expression type "range vector" for range query, "#
                + "must be Scalar or instant Vector"
        ),
        (
            "start=0&end=1&step=1&query=%22a%22",
            #"invalid parameter "query": invalid expression type "string" for range query, "#
                + "must be Scalar or instant Vector"
        ),
    ])
    func wrongParametersOfARangeAreNamed(parameters: String, message: String) throws {
        let fixture = try WebFixture()
        #expect(try fixture.error("/api/v1/query_range?\(parameters)") == "400 bad_data: \(message)")
    }

    @Test func formFieldsWinOverTheURL() throws {
        let fixture = try WebFixture()
        let response = try fixture.send(
            "/api/v1/query?query=up&time=1", method: "POST",
            headers: [("Content-Type", "application/x-www-form-urlencoded")], body: "time=wrong")
        #expect(response.status == 400)
        #expect(String(decoding: response.body, as: UTF8.self).contains("wrong"))
    }

    @Test func exemplarsAreThoseOfTheSelectedSeries() throws {
        let fixture = try WebFixture()
        let labels: [Labels] = [
            ["__name__": "a_bucket", "le": "1"], ["__name__": "a_bucket", "le": "2"], ["__name__": "b"],
        ]
        fixture.store.append(
            exemplars: labels.enumerated().map { index, labels in
                (
                    labels,
                    Exemplar(
                        labels: ["trace": "t\(index)"], value: Double(index) + 0.5,
                        timestamp: Timestamp(milliseconds: 1_600_000_000_000 + Int64(index) * 500))
                )
            }, at: Timestamp(milliseconds: 0))
        let first = """
            {"seriesLabels":{"__name__":"a_bucket","le":"1"},"exemplars":[{"labels":{"trace":"t0"},"value":"0.5",\
            "timestamp":1600000000}]}
            """
        let second = """
            {"seriesLabels":{"__name__":"a_bucket","le":"2"},"exemplars":[{"labels":{"trace":"t1"},"value":"1.5",\
            "timestamp":1600000000.500}]}
            """
        func text(_ query: String) throws -> String { try fixture.text("/api/v1/query_exemplars?\(query)") }
        #expect(
            try text("query=histogram_quantile(0.9,sum+by(le)(rate(a_bucket[5m])))")
                == "{\"status\":\"success\",\"data\":[\(first),\(second)]}")
        #expect(try text("query=a_bucket{le='2'}/b{x='y'}&start=1600000000&end=1600000001").contains("[\(second)]"))
        #expect(try text("query=a_bucket&start=1600000000.5").contains("[\(second)]"))
        #expect(try text("query=a_bucket&end=1600000000").contains("[\(first)]"))
        #expect(try text("query=1%2B1").contains("[]"))
    }

    @Test func exemplarsAreNone() throws {
        let fixture = try WebFixture()
        #expect(try fixture.data("/api/v1/query_exemplars?query=test&start=1600000000000&end=1600000100000") == [])
        #expect(
            try fixture.error("/api/v1/query_exemplars?query=test&start=2&end=1")
                == "400 bad_data: end timestamp must not be before start timestamp")
        #expect(try fixture.error("/api/v1/query_exemplars?query=(").hasPrefix("400 bad_data"))
    }

    @Test(arguments: [
        ("0", 0), ("1435781451.781", 1_435_781_451_781), ("1.4e9", 1_400_000_000_000), ("-1.5", -1500),
        ("2015-07-01T20:10:51.781Z", 1_435_781_451_781), ("2015-07-01T22:10:51.781+02:00", 1_435_781_451_781),
        ("1.0004", 1000), ("1.0006", 1001),
    ])
    func timesAreReadInEveryForm(text: String, milliseconds: Int64) {
        #expect(APIRequest.timestamp(text)?.milliseconds == milliseconds)
    }

    @Test(arguments: ["", "x", "NaN", "Inf", "0x10", "1e300", "2015-07-01", " 1"])
    func otherTimesAreRefused(text: String) {
        #expect(APIRequest.timestamp(text) == nil)
    }

    @Test(arguments: [
        ("15", 15_000), ("0.5", 500), ("5m", 300_000), ("1h30m", 5_400_000), ("150ms", 150), ("-2", -2000),
    ])
    func durationsAreReadInEveryForm(text: String, milliseconds: Int64) throws {
        #expect(try APIRequest.duration(text).get().rawValue == milliseconds)
    }
}
