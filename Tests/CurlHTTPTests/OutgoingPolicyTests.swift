import Runtime
import TestSupport
import Testing

@testable import CurlHTTP

/// Where connections may go.
@Suite struct OutgoingPolicyTests {
    private static func networks(_ texts: String...) -> [NetworkPrefix] { texts.compactMap { NetworkPrefix($0) } }

    private func isRefused(
        _ address: String, from origin: String? = nil, encrypted: Bool = false, allow: [NetworkPrefix]? = nil,
        deny: [NetworkPrefix] = [], requiresTLS: Bool = false
    ) -> Bool {
        var policy = OutgoingPolicy()
        (policy.allowed, policy.denied, policy.requiresTLS) = (allow, deny, requiresTLS)
        return policy.refusal(of: .init(address: address, isEncrypted: encrypted, redirectedFrom: origin)) != nil
    }

    @Test(arguments: [
        "169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
        "::ffff:169.254.169.254", "127.0.0.1", "::1",
    ]) func aRedirectFromAnotherMachineDoesNotReachWhatOnlyThisMachineReaches(address: String) {
        #expect(isRefused(address, from: "10.0.0.1"))
        #expect(!isRefused(address), "what the configuration names itself is allowed")
        #expect(!isRefused(address, from: "10.0.0.1", allow: [NetworkPrefix(address)!]))
        #expect(!isRefused("10.0.0.2", from: "10.0.0.1"))
    }

    @Test func redirectsOnThisMachineAreFollowed() {
        #expect(!isRefused("127.0.0.1", from: "127.0.0.1"))
        #expect(!isRefused("::1", from: "127.0.0.1"))
        #expect(isRefused("169.254.169.254", from: "127.0.0.1"))
        #expect(isRefused("127.0.0.1", from: ""), "an unknown origin is not this machine")
    }

    @Test func networksConfine() {
        let ours = Self.networks("10.0.0.0/8", "fd00::/8")
        #expect(!isRefused("10.1.2.3", allow: ours) && !isRefused("fd00::1", allow: ours))
        #expect(isRefused("11.0.0.1", allow: ours) && isRefused("127.0.0.1", allow: ours))
        #expect(isRefused("10.9.0.1", allow: ours, deny: Self.networks("10.9.0.0/16")), "deny comes first")
        #expect(isRefused("8.8.8.8", deny: Self.networks("8.8.8.8")) && !isRefused("8.8.4.4"))
        #expect(isRefused("1.1.1.1", allow: []), "an empty list allows nothing")
    }

    @Test func plainTextStaysOnThisMachineIfTLSIsRequired() {
        #expect(isRefused("10.0.0.1", requiresTLS: true))
        #expect(!isRefused("10.0.0.1", encrypted: true, requiresTLS: true))
        #expect(!isRefused("127.0.0.1", requiresTLS: true) && !isRefused("::1", requiresTLS: true))
        for url in ["http://10.0.0.1/", "http://example:80", "HTTP://a/", "http://[fd00::1]/"] {
            #expect(OutgoingPolicy.isPlain(url), "\(url)")
        }
        for url in ["https://a/", "http://localhost:1/", "http://127.0.0.9/", "http://[::1]:1/", "not a url"] {
            #expect(!OutgoingPolicy.isPlain(url), "\(url)")
        }
    }

    private func code(_ url: String, _ policy: OutgoingPolicy, redirects: Int = 3, header: Bool = false) -> HTTPFailure
        .Code?
    {
        var request = HTTPRequest(url: url, timeoutMilliseconds: 20_000)
        request.outgoing = policy
        request.maximumRedirects = redirects
        // With a confidential header this module follows redirects itself, otherwise libcurl does.
        if header { (request.headers, request.confidentialHeaders) = ([("X-Key", "k")], ["x-key"]) }
        do throws(HTTPFailure) {
            _ = try HTTPClient().send(request)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func noConnectionIsOpenedToADeniedAddress() {
        let server = LoopbackServer { _ in .ok("") }
        defer { server.stop() }
        var policy = OutgoingPolicy()
        policy.allowed = Self.networks("10.0.0.0/8")
        #expect(code(server.url, policy) == .refused)
        #expect(code("http://localhost:\(server.port)/", policy) == .refused, "names are resolved first")
        #expect(server.connectionCount == 0)
        policy.allowed = Self.networks("127.0.0.1")
        #expect(code(server.url, policy) == nil && server.connectionCount == 1)
    }

    @Test(arguments: [false, true]) func aRedirectToTheMetadataServiceIsNotFollowed(header: Bool) {
        let server = LoopbackServer { request in
            .ok("", status: "302 Found", headers: "Location: http://169.254.169.254/latest/meta-data/\r\n")
        }
        defer { server.stop() }
        #expect(code(server.url, OutgoingPolicy(), header: header) == .refused)
    }

    @Test(arguments: [false, true]) func aKeptConnectionIsNoWayAround(header: Bool) throws {
        // The second server is known to the client, which keeps its connection; then a redirect leads there.
        let inner = LoopbackServer { _ in .ok("secret") }
        defer { inner.stop() }
        let outer = LoopbackServer { _ in
            .ok("", status: "302 Found", headers: "Location: http://127.0.0.1:\(inner.port)/\r\n")
        }
        defer { outer.stop() }
        let client = HTTPClient()
        var first = HTTPRequest(url: inner.url)
        first.outgoing = OutgoingPolicy()
        _ = try client.send(first)
        var second = HTTPRequest(url: outer.url)
        second.maximumRedirects = 3
        if header { (second.headers, second.confidentialHeaders) = ([("X-Key", "k")], ["x-key"]) }
        second.outgoing = OutgoingPolicy()
        second.outgoing?.denied = Self.networks("127.0.0.1")
        #expect(throws: HTTPFailure.self) { _ = try client.send(second) }
        #expect(outer.connectionCount == 0 && inner.connectionCount == 1)
    }

    @Test func theLoopOfManyRequestsObeysToo() throws {
        let server = LoopbackServer { request in
            .ok("", status: "302 Found", headers: "Location: http://169.254.169.254/\r\n")
        }
        defer { server.stop() }
        let loop = try HTTPMultiplexer()
        var denied = OutgoingPolicy()
        denied.denied = Self.networks("127.0.0.0/8")
        for (token, policy) in [OutgoingPolicy(), denied].enumerated() {
            var request = HTTPRequest(url: server.url, timeoutMilliseconds: 20_000)
            request.maximumRedirects = 3
            request.outgoing = policy
            loop.start(try PreparedRequest(request), token: token)
        }
        var codes: [Int: HTTPFailure.Code] = [:]
        let end = SystemClock.monotonicNanoseconds(in: 30_000)
        while codes.count < 2, SystemClock.monotonicNanoseconds() < end {
            loop.run(until: end) { token, result in
                if case .failure(let failure) = result { codes[token] = failure.code } else { codes[token] = .other }
            }
        }
        #expect(codes == [0: .refused, 1: .refused])
    }
}
