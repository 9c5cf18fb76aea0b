import MetricModel
import PromQL
import TestSupport
import Testing
import WebServer

@testable import Exporter

/// Which requests are answered at once, on the thread that all connections wait for.
@Suite struct BriefAnswerTests {
    private let exporter: Exporter
    private let fixture: ExporterFixture

    init() throws {
        fixture = try ExporterFixture()
        try fixture.append(["__name__": "m", "i": "a"], [1, 2, 3, 4])
        let store = fixture.store
        exporter = try ExporterFixture.exporter { $0 = ExporterSources(store: store) }
    }

    private func request(_ path: String, _ query: KeyValuePairs<String, String> = [:]) -> HTTPServerRequest {
        HTTPServerRequest(path: path, query: query.map { (name: $0.key, value: $0.value) })
    }

    private var question: HTTPServerRequest {
        request("/api/v1/query_range", ["query": "m", "start": "0", "end": "45", "step": "15"])
    }

    /// Lets the plan of `question` look as if it had been quick, however slow this machine is.
    private func makeQuick() throws {
        let options = exporter.sources.engine
        let plan = try exporter.plans.take("m", options: options)
        exporter.plans.giveBack(
            plan, "m", options: options,
            cost: EvaluationCost(nanoseconds: 1, values: 4, steps: 4, milliseconds: 45_000))
    }

    @Test func aQueryThatIsAskedAgainIsAnsweredAtOnce() throws {
        #expect(exporter.briefResponse(to: question) == nil)
        let full = exporter.response(to: question)
        #expect(full.status == 200)
        // A brief evaluation has a millisecond, which a busy machine may take away.
        var brief: HTTPServerResponse?
        let isAnswered = try Loopback.eventually {
            try makeQuick()
            brief = exporter.briefResponse(to: question)
            if brief == nil { _ = exporter.response(to: question) }
            return brief != nil
        }
        #expect(isAnswered)
        #expect(brief?.body == full.body)
        #expect(brief?.headers.map(\.name) == full.headers.map(\.name))
    }

    @Test func aLongerRangeGoesToAWorker() throws {
        _ = exporter.response(to: question)
        try makeQuick()
        let longer = request("/api/v1/query_range", ["query": "m", "start": "0", "end": "60", "step": "15"])
        #expect(exporter.briefResponse(to: longer) == nil)
    }

    @Test func wrongParametersAreToldAtOnce() {
        let wrong = exporter.briefResponse(to: request("/api/v1/query", ["query": "m", "time": "soon"]))
        #expect(wrong?.status == 400)
    }

    @Test func onlyWhatTakesNoTimeIsAnsweredAtOnce() {
        #expect(exporter.briefResponse(to: request("/-/healthy"))?.status == 200)
        #expect(exporter.briefResponse(to: request("/-/ready"))?.status == 200)
        for path in ["/metrics", "/api/v1/series", "/federate", "/nowhere"] {
            #expect(exporter.briefResponse(to: request(path)) == nil)
        }
    }

    @Test func afterAStopNothingIsAnsweredAtOnce() throws {
        _ = exporter.response(to: question)
        try makeQuick()
        exporter.cancelQueries()
        #expect(exporter.briefResponse(to: question) == nil)
        #expect(exporter.response(to: question).status == 503)
    }
}
