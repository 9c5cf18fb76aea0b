internal import ConfigurationFields
internal import CurlHTTP
internal import MetricModel
internal import Runtime

/// Finds targets, on its own thread, until it is stopped.
protocol Discoverer: Sendable {
    /// Runs until the session's signal is raised.
    func run(_ session: DiscoverySession)
}

/// The environment of a ``Discoverer``. May be shared between the threads of one mechanism.
struct DiscoverySession: Sendable {
    let stop: StopSignal
    let client: HTTPClient
    /// Updates groups, each replacing the one with the same source. A group without targets removes it.
    let update: @Sendable ([TargetGroup]) -> Void
    /// Replaces all groups of the mechanism.
    let replace: @Sendable ([TargetGroup]) -> Void
    /// Records a failure; the groups stay as they are.
    let fail: @Sendable (DiscoveryError) -> Void

    /// Sends a request that ends when the session does.
    func send(_ request: HTTPRequest) throws(DiscoveryError) -> HTTPResponse {
        do throws(HTTPFailure) {
            return try client.send(request, isCancelled: { [stop] in stop.isRaised })
        } catch {
            throw DiscoveryError("\(HTTPRequest.shown(request.url)): \(error.message)")
        }
    }

    /// Applies the settings of the mechanism's HTTP client to `request`.
    func prepare(_ request: inout HTTPRequest, _ settings: HTTPSettings) throws(DiscoveryError) {
        do throws(HTTPFailure) {
            try settings.apply(to: &request)
        } catch {
            throw DiscoveryError("\(HTTPRequest.shown(request.url)): \(error.message)")
        }
    }

    /// Sends a request whose response must have status 200.
    func body(_ request: HTTPRequest) throws(DiscoveryError) -> HTTPResponse {
        let response = try send(request)
        guard response.status == 200 else {
            let detail = String(decoding: response.body.prefix(200), as: UTF8.self)
            throw DiscoveryError(
                "\(HTTPRequest.shown(request.url)): server returned HTTP status \(response.status)\(detail.isEmpty ? "" : ": \(detail)")"
            )
        }
        return response
    }
}

/// A mechanism that queries all targets at a fixed interval.
protocol RefreshingDiscoverer: Discoverer {
    /// The interval of queries.
    var refreshInterval: Milliseconds { get }
    /// Queries all groups.
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
