internal import Rollback

extension HAProxyRouter {
    /// The state of a server as shown by `show servers state`.
    struct ServerState: Equatable {
        /// The configured weight, regardless of health.
        var weight: Int
        /// Bits of HAProxy's administrative state.
        var admin: Int
        /// 0 stopped, 1 starting, 2 running, 3 stopping.
        var operation: Int
        /// 0 unknown, 1 neutral, 2 failed, 3 passed, 4 conditionally passed.
        var checkResult: Int
        /// Bits: 1 running, 2 configured, 4 enabled.
        var check: Int

        private static let maintenance = 0x01 | 0x02 | 0x04 | 0x20
        private static let drain = 0x08 | 0x10

        /// Whether it gets no new requests.
        var isOut: Bool { admin & (Self.maintenance | Self.drain) != 0 }

        /// Whether a check is running, and the result of the last one was cleared.
        var isBeingChecked: Bool { check & 1 != 0 && checkResult == 0 }

        /// Its share of the traffic. A server that is down keeps its share, because that is a matter of health.
        var share: Int { isOut ? 0 : weight }

        /// Whether it can take traffic. The weight is irrelevant: the stable version may have weight 0.
        var health: TargetHealth {
            if admin & Self.maintenance != 0 { return .unhealthy("in maintenance") }
            if admin & Self.drain != 0 { return .unhealthy("drained") }
            if check & 2 == 0 { return .unknown("no health check") }
            switch (operation, checkResult) {
            case (0, _): return .unhealthy("down")
            case (3, _): return .unhealthy("stopping")
            case (_, 2): return .unhealthy("the last health check failed")
            case (_, 3), (_, 4): return .healthy
            default: return .unknown("not checked yet")
            }
        }

        /// Reads the response; `nil` if it is an error message.
        static func parse(_ answer: String) -> [HAProxyServer: ServerState]? {
            let lines = answer.split(whereSeparator: \.isNewline)
            guard lines.first == "1", let header = lines.dropFirst().first, header.hasPrefix("# ") else { return nil }
            let names = header.dropFirst(2).split(separator: " ")
            let wanted = [
                "be_name", "srv_name", "srv_uweight", "srv_admin_state", "srv_op_state", "srv_check_result",
                "srv_check_state",
            ]
            let columns = wanted.compactMap { name in names.firstIndex { $0 == name } }
            guard columns.count == wanted.count else { return nil }
            var servers: [HAProxyServer: ServerState] = [:]
            for line in lines.dropFirst(2) {
                let words = line.split(separator: " ")
                guard words.count > columns.max() ?? 0 else { return nil }
                let numbers = columns.dropFirst(2).compactMap { Int(words[$0]) }
                guard numbers.count == 5 else { return nil }
                servers[HAProxyServer(backend: String(words[columns[0]]), server: String(words[columns[1]]))] =
                    ServerState(
                        weight: numbers[0], admin: numbers[1], operation: numbers[2], checkResult: numbers[3],
                        check: numbers[4])
            }
            return servers
        }
    }
}
