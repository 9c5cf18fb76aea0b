internal import CPostgreSQL

extension PostgreSQLConnection {
    /// Whether nobody on a network can read or change what a connection to `address` transfers: it is a Unix socket or
    /// this machine, or TLS with a verified name (`sslmode=verify-full`). Settings that `address` does not have come
    /// from libpq's environment.
    public static func isProtected(_ address: String) -> Bool {
        let given = unsafe PQconninfoParse(address, nil)
        let defaults = unsafe PQconndefaults()
        defer {
            unsafe PQconninfoFree(given)
            unsafe PQconninfoFree(defaults)
        }
        func setting(_ name: String) -> String {
            unsafe (value(name, in: given) ?? value(name, in: defaults)) ?? ""
        }
        if setting("sslmode") == "verify-full" { return true }
        // Several hosts are separated by commas; an address replaces the name of the same position.
        let hosts = setting("hostaddr").isEmpty ? setting("host") : setting("hostaddr")
        return hosts.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { isLocal(String($0)) }
    }

    private static func value(_ name: String, in options: UnsafeMutablePointer<PQconninfoOption>?) -> String? {
        var option = unsafe options
        while let current = unsafe option, let keyword = unsafe current.pointee.keyword {
            if unsafe String(cString: keyword) == name {
                return unsafe current.pointee.val.map { unsafe String(cString: $0) }
            }
            unsafe option = unsafe current + 1
        }
        return nil
    }

    /// A socket's path, nothing (the default socket), or a name or address of this machine.
    private static func isLocal(_ host: String) -> Bool {
        host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") || host == "localhost" || host == "::1"
            || host.hasPrefix("127.") && host.utf8.allSatisfy { $0 == 0x2e || 0x30...0x39 ~= $0 }
    }
}
