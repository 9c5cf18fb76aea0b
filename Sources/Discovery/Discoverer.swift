internal import ConfigurationFields
internal import CurlHTTP
internal import MetricModel
internal import Runtime

/// Names targets, on a thread of its own, until it is told to stop.
protocol Discoverer: Sendable {
    /// Runs until the session's signal is raised.
    func run(_ session: DiscoverySession)
}

/// What a ``Discoverer`` works with. May be shared between the threads of one mechanism.
struct DiscoverySession: Sendable {
    let stop: StopSignal
    let client: HTTPClient
    /// Takes groups over, each in place of the one with the same source. A group without targets removes it.
    let update: @Sendable ([TargetGroup]) -> Void
    /// Takes over all groups of the mechanism.
    let replace: @Sendable ([TargetGroup]) -> Void
    /// Notes a failure; the groups stay as they are.
    let fail: @Sendable (DiscoveryError) -> Void

    /// Sends a request that ends when the session does.
    func send(_ request: HTTPRequest) throws(DiscoveryError) -> HTTPResponse {
        do throws(HTTPFailure) {
            return try client.send(request, isCancelled: { [stop] in stop.isRaised })
        } catch {
            throw DiscoveryError("\(request.url): \(error.message)")
        }
    }

    /// Puts the settings of the mechanism's HTTP client into `request`.
    func prepare(_ request: inout HTTPRequest, _ settings: HTTPSettings) throws(DiscoveryError) {
        do throws(HTTPFailure) {
            try settings.apply(to: &request)
        } catch {
            throw DiscoveryError("\(request.url): \(error.message)")
        }
    }

    /// Sends a request whose answer must have status 200.
    func body(_ request: HTTPRequest) throws(DiscoveryError) -> HTTPResponse {
        let response = try send(request)
        guard response.status == 200 else {
            let detail = String(decoding: response.body.prefix(200), as: UTF8.self)
            throw DiscoveryError(
                "\(request.url): server returned HTTP status \(response.status)\(detail.isEmpty ? "" : ": \(detail)")")
        }
        return response
    }
}

/// A mechanism that asks for all targets at a fixed interval.
protocol RefreshingDiscoverer: Discoverer {
    /// Time from question to question.
    var refreshInterval: Milliseconds { get }
    /// Asks for all groups.
    func refresh(_ session: DiscoverySession) throws(DiscoveryError) -> [TargetGroup]
}

extension RefreshingDiscoverer {
    func run(_ session: DiscoverySession) {
        var next = SystemClock.monotonicNanoseconds()
        while !session.stop.isRaised {
            do throws(DiscoveryError) {
                session.replace(try refresh(session))
            } catch {
                if !session.stop.isRaised { session.fail(error) }
            }
            next = max(
                next + refreshInterval.rawValue * 1_000_000, SystemClock.monotonicNanoseconds() + 100_000_000)
            let wait = (next - SystemClock.monotonicNanoseconds()) / 1_000_000
            if session.stop.wait(milliseconds: wait) == .stopped { return }
        }
    }
}
