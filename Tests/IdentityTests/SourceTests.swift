import Glibc
import Runtime
import TestSupport
import Testing
import WebServer

@testable import Identity

@Suite struct NetworkPrefixTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.0.0.1", "10.0.0.1", true),
        ("10.0.0.1", "10.0.0.2", false), ("192.168.4.0/22", "192.168.7.255", true),
        ("192.168.4.0/22", "192.168.8.0", false), ("::1", "::1", true), ("fd00::/8", "fdab::1", true),
        ("fd00::/8", "fe80::1", false), ("127.0.0.0/8", "::ffff:127.0.0.1", true), ("0.0.0.0/0", "1.2.3.4", true),
        ("0.0.0.0/0", "::1", false), ("10.0.0.0/8", "", false), ("10.0.0.0/8", "localhost", false),
    ])
    func addressesBelongOrNot(prefix: String, address: String, isInside: Bool) throws {
        #expect(try #require(NetworkPrefix(prefix)).contains(address) == isInside)
    }

    @Test(arguments: ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "::1/129", "a.b.c.d", "10.0.0.0/"])
    func otherTextsAreRefused(text: String) { #expect(NetworkPrefix(text) == nil) }

    @Test func anIPv6NetworkCountsAsOneClient() {
        #expect(NetworkPrefix.limitKey("2001:db8::1") == NetworkPrefix.limitKey("2001:db8::2:3"))
        #expect(NetworkPrefix.limitKey("2001:db8::1") != NetworkPrefix.limitKey("2001:db9::1"))
        #expect(NetworkPrefix.limitKey("10.0.0.1") == "10.0.0.1")
    }
}

@Suite struct RequestSourceTests {
    private func source(
        _ peer: String, _ headers: [(name: String, value: String)] = [], proxies: [String] = []
    ) -> RequestSource {
        RequestSource(
            HTTPServerRequest(path: "/", headers: headers, peer: peer),
            proxies: proxies.compactMap { NetworkPrefix($0) })
    }

    @Test func thisMachineIsLoopbackWithoutAProxy() {
        for peer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            #expect(source(peer).isThisMachine, "\(peer)")
        }
        for peer in ["10.0.0.9", "", "::2", "0.0.0.0"] { #expect(!source(peer).isThisMachine, "\(peer)") }
        for name in ["Forwarded", "X-Forwarded-For", "x-real-ip", "Via", "X-Forwarded-Host", "X-Forwarded-Proto"] {
            #expect(!source("127.0.0.1", [(name, "")]).isThisMachine, "\(name)")
            #expect(!source("127.0.0.1", [(name, "127.0.0.1")], proxies: ["127.0.0.1"]).isThisMachine, "\(name)")
        }
    }

    @Test func onlyTrustedProxiesSayWhoTheirClientIs() {
        let header: [(name: String, value: String)] = [("X-Forwarded-For", "1.2.3.4, 5.6.7.8")]
        #expect(source("10.0.0.1", header).address == "10.0.0.1")
        #expect(source("10.0.0.1", header, proxies: ["10.0.0.0/8"]).address == "5.6.7.8", "1.2.3.4 may be a lie")
        #expect(source("10.0.0.1", header, proxies: ["10.0.0.0/8", "5.6.7.8"]).address == "1.2.3.4")
        #expect(source("9.9.9.9", header, proxies: ["10.0.0.0/8"]).address == "9.9.9.9")
        #expect(source("10.0.0.1", [("X-Forwarded-For", "bad")], proxies: ["10.0.0.0/8"]).address == "10.0.0.1")
    }

    @Test func proxiesThatContradictEachOtherNameNobody() {
        // A proxy that writes one of the headers may pass the client's other one on as it is.
        let headers = [("X-Forwarded-For", "10.9.9.9"), ("Forwarded", "for=203.0.113.7")]
        let found = source("10.0.0.2", headers, proxies: ["10.0.0.0/8"])
        #expect(found.address == "10.0.0.2" && !found.isThisMachine)
        let same = source("10.0.0.2", [("X-Forwarded-For", "203.0.113.7"), headers[1]], proxies: ["10.0.0.0/8"])
        #expect(same.address == "203.0.113.7")
    }

    @Test(.enabled(if: geteuid() == 0)) func rootTrustsNoDirectoryThatAnybodyCouldHaveMade() {
        let directory = TemporaryDirectory()
        let (shared, own) = (directory.file("shared"), directory.file("own"))
        for parent in [shared, own] {
            mkdir(parent, 0o755)
            mkdir(parent + "/tribune", 0o755)
            chown(parent + "/tribune", 65534, 65534)
        }
        chmod(shared, 0o1777)
        #expect(LocalAccess.isTrusted(own + "/tribune"), "the directory of a service's user")
        #expect(!LocalAccess.isTrusted(shared + "/tribune"))
    }

    @Test func theStandardHeaderIsReadAsWell() {
        let forwarded: [(name: String, value: String)] = [
            ("Forwarded", #"for=1.2.3.4;proto=https, for="[2001:db8::7]:4711""#)
        ]
        #expect(source("10.0.0.1", forwarded, proxies: ["10.0.0.0/8"]).address == "2001:db8::7")
        #expect(source("10.0.0.1", [("X-Forwarded-For", "5.6.7.8:80")], proxies: ["10.0.0.0/8"]).address == "5.6.7.8")
    }
}

@Suite struct HostNamesTests {
    @Test(arguments: [
        "localhost", "localhost:9190", "127.0.0.1:9190", "[::1]:9190", "10.1.2.3", "tribune:9190",
        "tribune.monitoring.svc", "tribune.monitoring.svc.cluster.local:9190", "a.localhost", "TRIBUNE.example:1",
        "x.pages.example", "tribune.example.",
    ])
    func ownAndPrivateNamesAreAnswered(host: String) {
        #expect(HostNames(["Tribune.example:443", "*.pages.example"]).contains(host: host))
    }

    @Test(arguments: [
        "evil.example", "evil.example:9190", "tribune.example.evil.com", "127.0.0.1.evil.com", "pages.example",
    ])
    func othersAreNot(host: String) {
        #expect(!HostNames(["tribune.example", "*.pages.example"]).contains(host: host))
        #expect(HostNames(["*"]).contains(host: host))
    }
}

@Suite struct PageOriginTests {
    /// Headers as `Host h:1|Origin http://h:1`.
    @Test(arguments: [
        ("Host h:1", false), ("Host h:1|Origin http://h:1", false), ("Host h:1|Origin http://evil.example", true),
        ("Host h:1|Origin null", true), ("Host h:1|Origin http://h:2", true), ("Host h:1|Origin ftp://h:1", true),
        ("Origin http://h:1", true), ("Host h:1|Sec-Fetch-Site cross-site", true),
        ("Host h:1|Sec-Fetch-Site same-site", true), ("Host h:1|Sec-Fetch-Site none", false),
        ("Host h:1|Sec-Fetch-Site same-origin|Origin http://h:1", false),
        ("Host inner:1|Origin https://tribune.example", false),
    ])
    func pagesOfOtherSitesAreForeign(headers: String, isForeign: Bool) {
        let pairs = headers.split(separator: "|").map { $0.split(separator: " ").map(String.init) }
        let request = HTTPServerRequest(path: "/", headers: pairs.map { (name: $0[0], value: $0[1]) })
        #expect(PageOrigin.isForeign(request, external: "https://tribune.example") == isForeign)
    }
}

@Suite struct ScopeTests {
    @Test(arguments: [
        ("shop", "shop", true), ("shop", "shop2", false), ("shop-*", "shop-eu", true), ("shop-*", "shop", false),
        ("*", "", true), ("*-eu", "shop-eu", true), ("a*b*c", "aXbYc", true), ("a*b*c", "abc", true),
        ("a*b*c", "acb", false), ("a*a", "a", false), ("*b*", "abc", true), ("*bb*b", "abb", false),
    ])
    func namesFitPatterns(pattern: String, name: String, fits: Bool) {
        #expect(NamePattern(pattern).matches(name) == fits)
    }

    @Test func aScopeOfServicesDoesNotCoverTheWholePlan() {
        #expect(Scope().covers(plan: "a"))
        let plans = Scope(plans: [NamePattern("shop-*")])
        #expect(plans.covers(plan: "shop-eu", services: ["x"]) && !plans.covers(plan: "bank"))
        let services = Scope(plans: [], services: [NamePattern("cart")])
        #expect(services.covers(plan: "shop", services: ["cart"]))
        #expect(!services.covers(plan: "shop", services: ["cart", "pay"]) && !services.covers(plan: "shop"))
    }
}

@Suite struct RoleTests {
    @Test func rolesGiveTheirPermissions() {
        #expect(Role.admin.permissions == .all)
        #expect(Permission.allCases.allSatisfy { PermissionSet.all.contains($0) })
        let table: [Role: [Permission]] = [
            .observer: [.probe, .read], .responder: [.probe, .read, .silence, .alert],
            .operator: [.probe, .read, .silence, .alert, .order, .gate, .verdict], .auditor: [.probe, .read, .audit],
            .service: [.probe, .write, .alert, .gate, .verdict],
        ]
        for (role, permissions) in table {
            #expect(Permission.allCases.filter { role.permissions.contains($0) }.count == permissions.count, "\(role)")
            for permission in permissions { #expect(role.permissions.contains(permission), "\(role) \(permission)") }
        }
    }

    @Test func levelsOfThePlatformBecomeRoles() {
        #expect(Role.roles(ofLevel: 10) == [.admin])
        #expect(Role.roles(ofLevel: 7) == [.operator])
        #expect(Role.roles(ofLevel: 5) == [.service, .observer])
        #expect(Role.roles(ofLevel: 3) == [.observer])
        #expect(Role.roles(ofLevel: 2) == [])
        #expect(Principal(roles: [.observer, .operator]).level == 7)
    }
}
