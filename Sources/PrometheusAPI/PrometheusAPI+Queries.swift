internal import JSON
internal import MetricModel
internal import PromQL
internal import Runtime
internal import WebCore

extension PrometheusAPI {
    /// The maximum number of points per series of `/api/v1/query_range`.
    private static let maximumPoints: Int64 = 11_000

    /// `/api/v1/query`
    func query(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let limit = try call.limit()
        let now = Timestamp(milliseconds: SystemClock.wallMilliseconds())
        let time = try call.time("time", default: now)
        let source = source(for: call)
        let outcome = try evaluate(call, try engineOptions(call)) { plan, cancellation throws(QueryError) in
            try plan.instant(at: time, from: source, cancellation: cancellation)
        }
        return result(outcome, call, limit: limit)
    }

    /// `/api/v1/query_range`
    func queryRange(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let limit = try call.limit()
        let start = try call.time("start")
        let end = try call.time("end")
        if end < start { throw .invalid("end", "end timestamp must not be before start time") }
        let step = try call.duration("step")
        if step <= .zero {
            throw .invalid(
                "step", "zero or negative query resolution step widths are not accepted. Try a positive integer")
        }
        let steps = (end - start).rawValue / step.rawValue
        if steps > Self.maximumPoints {
            throw APIError(
                .badData,
                "exceeded maximum resolution of 11,000 points per timeseries. "
                    + "Try decreasing the query resolution (?step=XX)")
        }
        let source = source(for: call)
        let outcome = try evaluate(call, try engineOptions(call), isRange: true) {
            plan, cancellation throws(QueryError) in
            try plan.range(start: start, end: end, step: step, from: source, cancellation: cancellation)
        }
        return result(outcome, call, limit: limit)
    }

    /// The samples that the sender of `call` may see.
    private func source(for call: APIRequest) -> any Queryable {
        let limits = call.labelConditions
        return limits.isEmpty ? sources.store : LimitedSource(source: sources.store, matchers: limits)
    }

    /// `/api/v1/format_query`
    func formatQuery(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.string(try parsed(call).pretty())
        return APIResult()
    }

    /// `/api/v1/parse_query`
    func parseQuery(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.write(try parsed(call).apiJSON)
        return APIResult()
    }

    /// The expression of the request.
    func parsed(_ call: APIRequest) throws(APIError) -> Expression {
        do {
            return try Expression.parse(call["query"], features: sources.features)
        } catch {
            throw .invalid("query", error)
        }
    }

    /// The server's options, with the changes of the request.
    private func engineOptions(_ call: APIRequest) throws(APIError) -> EngineOptions {
        var options = sources.engine
        if !call["timeout"].isEmpty {
            let wanted = try call.duration("timeout")
            options.timeout = min(wanted, options.timeout ?? wanted)
        }
        if !call["lookback_delta"].isEmpty {
            switch APIRequest.duration(call["lookback_delta"]) {
            case .success(let lookback): options.lookback = lookback
            case .failure(let error):
                throw APIError(.badData, "error parsing lookback delta duration: \(error.reason)")
            }
        }
        return options
    }

    private struct Outcome {
        var result: QueryResult
        var timings: Timings
    }

    private struct Timings {
        var queueSeconds: Double
        var evaluationSeconds: Double
        var statistics: QueryStatistics
    }

    /// Waits for a turn and evaluates, with a cached plan if there is one. Stops if the client disconnects.
    private func evaluate(
        _ call: APIRequest, _ options: EngineOptions, isRange: Bool = false,
        _ run: (PreparedQuery, QueryCancellation) throws(QueryError) -> QueryResult
    ) throws(APIError) -> Outcome {
        let began = SystemClock.monotonicNanoseconds()
        let plan: PreparedQuery
        do {
            plan = try plans.take(call["query"], options: options)
        } catch {
            throw .invalid("query", error)
        }
        if isRange { try checkRange(plan.expression.valueType) }
        guard queries.enter(timeout: options.timeout ?? .minutes(2)) else {
            throw APIError(.timeout, "query timed out in query queue")
        }
        defer { queries.leave() }
        let started = SystemClock.monotonicNanoseconds()
        let cancellation = QueryCancellation()
        let ticket = clients.begin(call.request) { cancellation.cancel() }
        defer { clients.end(ticket) }
        do {
            let result = try run(plan, cancellation)
            plans.giveBack(plan, call["query"], options: options)
            let ended = SystemClock.monotonicNanoseconds()
            return Outcome(
                result: result,
                timings: Timings(
                    queueSeconds: Double(started - began) / 1e9, evaluationSeconds: Double(ended - started) / 1e9,
                    statistics: result.statistics))
        } catch {
            switch error {
            case .parse(let fault): throw .invalid("query", fault)
            case .execution, .tooManySamples: throw APIError(.execution, error.description)
            case .timeout: throw APIError(.timeout, error.description)
            case .cancelled: throw APIError(.canceled, error.description)
            }
        }
    }

    private func checkRange(_ type: ValueType) throws(APIError) {
        if type == .vector || type == .scalar { return }
        let name = type == .matrix ? "range vector" : type.rawValue
        throw .invalid(
            "query", "invalid expression type \"\(name)\" for range query, must be Scalar or instant Vector")
    }

    /// The annotations of the result, with its data as the body.
    private func result(_ outcome: Outcome, _ call: APIRequest, limit: Int) -> APIResult {
        let query = call["query"]
        let (value, isTruncated) = Self.truncated(outcome.result.value, to: limit)
        let stats = call["stats"]
        let timings = outcome.timings
        var result = APIResult(
            warnings: outcome.result.annotations.warnings(in: query),
            infos: outcome.result.annotations.infos(in: query),
            body: QueryJSON(value) { writer in
                if !stats.isEmpty { Self.write(timings, into: &writer) }
            })
        if isTruncated { result.warnings.append(APIResult.truncated) }
        if !stats.isEmpty, stats != "true", stats != "all" {
            result.warnings.append("stats=\(stats) is deprecated, use stats=true or stats=all")
        }
        return result
    }

    private static func truncated(_ value: QueryValue, to limit: Int) -> (value: QueryValue, isTruncated: Bool) {
        guard limit > 0 else { return (value, false) }
        switch value {
        case .vector(let elements) where elements.count > limit: return (.vector(Array(elements.prefix(limit))), true)
        case .matrix(let series) where series.count > limit: return (.matrix(Array(series.prefix(limit))), true)
        case .vector, .matrix, .scalar, .string: return (value, false)
        }
    }

    private static func write(_ timings: Timings, into writer: inout JSONWriter) {
        writer.name("stats")
        writer.object { writer in
            writer.name("timings")
            writer.object {
                $0.member("evalTotalTime", timings.evaluationSeconds)
                $0.member("resultSortTime", 0)
                $0.member("queryPreparationTime", 0)
                $0.member("innerEvalTime", timings.evaluationSeconds)
                $0.member("execQueueTime", timings.queueSeconds)
                $0.member("execTotalTime", timings.queueSeconds + timings.evaluationSeconds)
            }
            writer.name("samples")
            writer.object {
                $0.member("totalQueryableSamples", timings.statistics.totalSamples)
                $0.member("peakSamples", timings.statistics.peakSamples)
                $0.member("samplesRead", timings.statistics.totalSamples)
            }
        }
    }
}
