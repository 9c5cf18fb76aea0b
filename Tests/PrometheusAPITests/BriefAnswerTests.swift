import MetricModel
import PromQL
import TestSupport
import Testing
import WebCore
import WebFixture
import WebServer

@testable import PrometheusAPI

/// Which requests are answered on the polling thread.
@Suite struct BriefAnswerTests {
    private let apis: WebFixture.APIs
    private let fixture: WebFixture

    init() throws {
        fixture = try WebFixture()
        try fixture.append(["__name__": "m", "i": "a"], [1, 2, 3, 4])
        let store = fixture.store
        apis = try WebFixture.apis { $0 = WebFixture.Sources(store: store) }
    }

    private func request(_ path: String, _ query: KeyValuePairs<String, String> = [:]) -> HTTPServerRequest {
        HTTPServerRequest(path: path, query: query.map { (name: $0.key, value: $0.value) })
    }

    private var question: HTTPServerRequest {
        request("/api/v1/query_range", ["query": "m", "start": "0", "end": "45", "step": "15"])
    }

    /// Makes the plan of `question` count as quick, however slow this machine is.
    private func makeQuick() throws {
        let options = apis.prometheus.sources.engine
        let plan = try apis.prometheus.plans.take("m", options: options)
        apis.prometheus.plans.giveBack(
            plan, "m", options: options,
            cost: EvaluationCost(nanoseconds: 1, values: 4, steps: 4, milliseconds: 45_000))
    }

    @Test func aQueryThatIsAskedAgainIsAnsweredAtOnce() throws {
        #expect(apis.dispatcher.briefResponse(to: question) == nil)
        let full = apis.dispatcher.response(to: question)
        #expect(full.status == 200)
        // A brief evaluation has a millisecond, which a busy machine may take away.
        var brief: HTTPServerResponse?
        let isAnswered = try Loopback.eventually {
            try makeQuick()
            brief = apis.dispatcher.briefResponse(to: question)
            if brief == nil { _ = apis.dispatcher.response(to: question) }
            return brief != nil
        }
        #expect(isAnswered)
        #expect(brief?.body == full.body)
        #expect(brief?.headers.map(\.name) == full.headers.map(\.name))
    }

    @Test func aLongerRangeGoesToAWorker() throws {
        _ = apis.dispatcher.response(to: question)
        try makeQuick()
        let longer = request("/api/v1/query_range", ["query": "m", "start": "0", "end": "60", "step": "15"])
        #expect(apis.dispatcher.briefResponse(to: longer) == nil)
    }

    @Test func wrongParametersAreToldAtOnce() {
        let wrong = apis.dispatcher.briefResponse(to: request("/api/v1/query", ["query": "m", "time": "soon"]))
        #expect(wrong?.status == 400)
    }

    @Test func onlyWhatTakesNoTimeIsAnsweredAtOnce() {
        #expect(apis.dispatcher.briefResponse(to: request("/-/healthy"))?.status == 200)
        #expect(apis.dispatcher.briefResponse(to: request("/-/ready"))?.status == 200)
        for path in ["/metrics", "/api/v1/series", "/federate", "/nowhere"] {
            #expect(apis.dispatcher.briefResponse(to: request(path)) == nil)
        }
    }

    @Test func afterAStopNothingIsAnsweredAtOnce() throws {
        _ = apis.dispatcher.response(to: question)
        try makeQuick()
        apis.prometheus.cancelQueries()
        #expect(apis.dispatcher.briefResponse(to: question) == nil)
        #expect(apis.dispatcher.response(to: question).status == 503)
    }
}
