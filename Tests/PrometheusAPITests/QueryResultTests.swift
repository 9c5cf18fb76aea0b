import CurlHTTP
import JSON
import MetricModel
import PromQL
import Testing
import WebFixture

@testable import PrometheusAPI

/// Queries from request to response, over samples in a real store.
@Suite struct QueryResultTests {
    private func fixture() throws -> WebFixture {
        let fixture = try WebFixture()
        try fixture.append(["__name__": "m", "i": "a"], [1, 2, nil, 4])
        try fixture.append(["__name__": "m", "i": "b"], [10, 20, 30, 40.5])
        return fixture
    }

    @Test func instantVectorIsAtTheTimeOfTheQuestion() throws {
        let fixture = try fixture()
        #expect(
            try fixture.text("/api/v1/query?query=sort(m)&time=47.25")
                == #"{"status":"success","data":{"resultType":"vector","result":["#
                + #"{"metric":{"__name__":"m","i":"a"},"value":[47.250,"4"]},"#
                + #"{"metric":{"__name__":"m","i":"b"},"value":[47.250,"40.5"]}]}}"#)
    }

    @Test func rangeSelectorKeepsTheTimesOfTheSamples() throws {
        let fixture = try fixture()
        #expect(
            try fixture.data("/api/v1/query?query=m{i=%22a%22}[1m]&time=45").encoded
                == #"{"resultType":"matrix","result":[{"metric":{"__name__":"m","i":"a"},"#
                + #""values":[[0,"1"],[15,"2"],[45,"4"]]}]}"#)
    }

    @Test func rangeQueryStepsFromItsStart() throws {
        let fixture = try fixture()
        let text = try fixture.text("/api/v1/query_range?query=sum(m)&start=14.5&end=45.5&step=15")
        #expect(
            text == #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"#
                + #""values":[[14.500,"11"],[29.500,"22"],[44.500,"32"]]}]}}"#)
    }

    @Test func lookbackCanBeShortened() throws {
        let fixture = try fixture()
        #expect(try fixture.data("/api/v1/query?query=m&time=100")["result"]?.elements?.count == 2)
        #expect(try fixture.data("/api/v1/query?query=m&time=100&lookback_delta=30s")["result"] == [])
    }

    @Test func limitCutsTheResultWithAWarning() throws {
        let fixture = try fixture()
        let answer = try JSON(parsing: fixture.text("/api/v1/query?query=m&time=1&limit=1"))
        #expect(answer["data"]?["result"]?.elements?.count == 1)
        #expect(answer["warnings"] == ["results truncated due to limit"])
        let whole = try JSON(parsing: fixture.text("/api/v1/query?query=m&time=1&limit=2"))
        #expect(whole["warnings"] == nil)
    }

    @Test func failedEvaluationIsAnExecutionError() throws {
        let fixture = try fixture()
        #expect(
            try fixture.error("/api/v1/query?query=m%2Bignoring(i)m&time=1")
                .hasPrefix("422 execution: found duplicate series for the match group"))
    }

    @Test func tooManySamplesAreAnExecutionError() throws {
        let fixture = try WebFixture(sources: { $0.engine.maximumSamples = 3 })
        try fixture.append(["__name__": "m"], [1, 2, 3, 4, 5])
        #expect(
            try fixture.error("/api/v1/query?query=m[5m]&time=60")
                == "422 execution: query processing would load too many samples into memory in query execution")
    }

    @Test func remarksStandBesideTheData() throws {
        let fixture = try fixture()
        let answer = try JSON(parsing: fixture.text("/api/v1/query?query=rate(m[1m])&time=45"))
        #expect(
            answer["infos"] == [
                #"PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "m" (1:6)"#
            ])
    }

    @Test func queriesCanBePosted() throws {
        let fixture = try fixture()
        let response = try fixture.send(
            "/api/v1/query", method: "POST", headers: [("Content-Type", "application/x-www-form-urlencoded")],
            body: "query=1%2B1&time=5")
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == #"{"status":"success","data":{"resultType":"scalar","result":[5,"2"]}}"#)
    }

    @Test func queriesAreFormattedAndParsed() throws {
        let fixture = try fixture()
        #expect(try fixture.data("/api/v1/format_query?query=foo/bar") == "foo / bar")
        #expect(
            try fixture.data("/api/v1/parse_query?query=sum%20by(i)(rate(m%7Ba!=%22b%22%7D%5B5m%5D%20offset%201m))%3E1")
                .encoded
                == #"{"type":"binaryExpr","op":">","lhs":{"type":"aggregation","op":"sum","expr":"#
                + #"{"type":"call","func":{"name":"rate","argTypes":["matrix"],"variadic":0,"returnType":"vector"},"#
                + #""args":[{"type":"matrixSelector","range":300000,"rangeExpr":null,"name":"m","offset":60000,"#
                + #""offsetExpr":null,"matchers":[{"name":"a","value":"b","type":"!="},"#
                + #"{"name":"__name__","value":"m","type":"="}],"timestamp":null,"startOrEnd":null,"anchored":false,"#
                + #""smoothed":false}]},"param":null,"grouping":["i"],"without":false},"#
                + #""rhs":{"type":"numberLiteral","val":"1"},"matching":null,"bool":false}"#)
    }
}
