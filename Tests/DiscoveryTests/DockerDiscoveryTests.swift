import MetricModel
import TestSupport
import Testing
import WebServer
import YAML

@testable import Discovery

@Suite struct DockerDiscoveryTests {
    private static let networks = """
        [{"Id": "net1", "Name": "front", "Scope": "local", "Internal": false, "Ingress": false, "Labels": {"a.b": "c"}},
         {"Id": "net2", "Name": "back", "Scope": "local", "Internal": true, "Ingress": true, "Labels": {}}]
        """
    private static let containers = """
        [{"Id": "c1", "Names": ["/web", "/alias"], "Labels": {"com.x/y": "z"}, "HostConfig": {"NetworkMode": "front"},
          "Ports": [{"PrivatePort": 80, "PublicPort": 8080, "IP": "0.0.0.0", "Type": "tcp"},
                    {"PrivatePort": 81, "Type": "tcp"}, {"PrivatePort": 53, "Type": "udp"}],
          "NetworkSettings": {"Networks": {"front": {"IPAddress": "172.1.0.2", "NetworkID": "net1"},
                                           "back": {"IPAddress": "172.2.0.2", "NetworkID": "net2"}}}},
         {"Id": "c2", "Names": ["/side"], "HostConfig": {"NetworkMode": "container:c1"}, "Ports": [],
          "NetworkSettings": {"Networks": {}}},
         {"Id": "c3", "Names": ["/agent"], "HostConfig": {"NetworkMode": "host"}, "Ports": [],
          "NetworkSettings": {"Networks": {"host": {"IPAddress": "", "NetworkID": "net9"}}}},
         {"Id": "c4", "Names": [], "HostConfig": {"NetworkMode": "front"}, "NetworkSettings": {"Networks": {}}}]
        """

    /// The API of a daemon; anything else is an error.
    private static func daemon(_ answers: [String: String], _ seen: Changing<[String]>) -> @Sendable (String) -> String?
    {
        { target in
            seen.value += [target]
            return answers[String(target.split(separator: "?")[0])]
        }
    }

    private func server(_ answers: [String: String], _ seen: Changing<[String]>) -> LoopbackServer {
        let daemon = Self.daemon(answers, seen)
        return LoopbackServer { request in
            daemon(request.target).map { .ok($0, type: "application/json") } ?? .ok("", status: "404 Not Found")
        }
    }

    @Test func containersAreTargetsOverAUnixSocket() throws {
        let directory = TemporaryDirectory()
        let seen = Changing<[String]>([])
        let daemon = Self.daemon(["/containers/json": Self.containers, "/networks": Self.networks], seen)
        var configuration = HTTPServerConfiguration()
        configuration.addresses = [.unix(path: directory.file("docker.sock"), mode: 0o600)]
        let server = try HTTPServer(configuration) { request in
            let query = request.query.map { "?\($0.name)=\($0.value)" }.joined()
            guard let body = daemon(request.path + query) else { return .text("", status: 404) }
            return .text(body)
        }
        defer { server.stop() }
        let bench = try DiscoveryBench(
            """
            docker_sd_configs:
            - {host: 'unix://\(directory.file("docker.sock"))', filters: [{name: label, values: [scrape=yes, a=b]}]}
            """)
        defer { bench.runner.stop() }
        #expect(Loopback.eventually { bench.targets.count == 4 })
        let web = [
            "__meta_docker_container_id": "c1", "__meta_docker_container_name": "/web",
            "__meta_docker_container_network_mode": "front", "__meta_docker_container_label_com_x_y": "z",
        ]
        let back = [
            "__meta_docker_network_id": "net2", "__meta_docker_network_name": "back",
            "__meta_docker_network_scope": "local", "__meta_docker_network_internal": "true",
            "__meta_docker_network_ingress": "true", "__meta_docker_network_ip": "172.2.0.2",
        ]
        let wanted = [
            // The first network by name alone.
            [
                "__address__": "172.2.0.2:80", "__meta_docker_port_private": "80", "__meta_docker_port_public": "8080",
                "__meta_docker_port_public_ip": "0.0.0.0",
            ].merging(web) { $1 }.merging(back) { $1 },
            ["__address__": "172.2.0.2:81", "__meta_docker_port_private": "81"].merging(web) { $1 }
                .merging(back) { $1 },
            [
                "__address__": "172.2.0.2:80", "__meta_docker_container_id": "c2",
                "__meta_docker_container_name": "/side", "__meta_docker_container_network_mode": "container:c1",
            ].merging(back) { $1 },
            [
                "__address__": "localhost", "__meta_docker_container_id": "c3",
                "__meta_docker_container_name": "/agent", "__meta_docker_container_network_mode": "host",
            ],
        ]
        let found = bench.targets.map { Dictionary(uniqueKeysWithValues: $0.pairs.map { ($0.name, $0.value) }) }
        for target in wanted { #expect(found.contains(target), "\(target) of \(found)") }
        #expect(seen.value.contains { $0.hasPrefix("/containers/json?") && $0.contains("scrape") })
    }

    @Test func everyNetworkIsATargetWhereThatIsAskedFor() throws {
        let seen = Changing<[String]>([])
        let server = server(["/containers/json": Self.containers, "/networks": Self.networks], seen)
        defer { server.stop() }
        let bench = try DiscoveryBench(
            """
            docker_sd_configs:
            - {host: 'tcp://\(server.url.dropFirst(7))', match_first_network: false, port: 99, host_networking_host: h}
            """)
        defer { bench.runner.stop() }
        #expect(
            Loopback.eventually {
                bench.targets.compactMap { $0["__address__"] } == [
                    "172.1.0.2:80", "172.1.0.2:81", "172.1.0.2:99", "172.2.0.2:80", "172.2.0.2:81", "172.2.0.2:99", "h",
                ]
            }, "\(bench.targets)")
        #expect(bench.targets.first?["__meta_docker_network_label_a_b"] == "c")
    }

    private static let swarm = [
        "/networks": networks,
        "/nodes": """
        [{"ID": "n1", "Spec": {"Role": "manager", "Availability": "active", "Labels": {"zone": "a"}},
          "Description": {"Hostname": "h1", "Platform": {"Architecture": "x86_64", "OS": "linux"},
           "Engine": {"EngineVersion": "27"}}, "Status": {"State": "ready", "Addr": "10.0.0.1"},
          "ManagerStatus": {"Leader": true, "Reachability": "reachable", "Addr": "10.0.0.1:2377"}}]
        """,
        "/services": """
        [{"ID": "s1", "Spec": {"Name": "web", "Labels": {"l": "m"}, "Mode": {"Replicated": {"Replicas": 2}},
           "TaskTemplate": {"ContainerSpec": {"Image": "web:1", "Hostname": "wh"}}}, "UpdateStatus": {"State": "completed"},
          "Endpoint": {"Ports": [{"Name": "p", "Protocol": "tcp", "PublishedPort": 8080, "PublishMode": "ingress"}],
           "VirtualIPs": [{"NetworkID": "net2", "Addr": "10.255.0.5/16"}]}},
         {"ID": "s2", "Spec": {"Name": "job", "Mode": {"Global": {}}}, "Endpoint": {
           "VirtualIPs": [{"NetworkID": "net1", "Addr": "10.1.0.5/24"}]}}]
        """,
        "/tasks": """
        [{"ID": "t1", "ServiceID": "s1", "NodeID": "n1", "Slot": 3, "DesiredState": "running",
          "Spec": {"ContainerSpec": {"Labels": {"own": "x"}}},
          "Status": {"State": "running", "ContainerStatus": {"ContainerID": "c9"},
           "PortStatus": {"Ports": [{"Protocol": "tcp", "PublishedPort": 9000, "PublishMode": "host"}]}},
          "NetworksAttachments": [{"Network": {"ID": "net2"}, "Addresses": ["10.255.0.7/16"]}]}]
        """,
        "/containers/c9/json": #"{"Config": {"Labels": {"image": "i", "own": "image"}}}"#,
    ]

    private func swarmTargets(_ role: String) throws -> [[String: String]] {
        let seen = Changing<[String]>([])
        let server = server(Self.swarm, seen)
        defer { server.stop() }
        let bench = try DiscoveryBench(
            "dockerswarm_sd_configs: [{host: '\(server.url)', role: \(role), filters: [{name: id, values: [x]}]}]")
        defer { bench.runner.stop() }
        #expect(Loopback.eventually { !bench.targets.isEmpty })
        return bench.targets.map { target in
            Dictionary(
                uniqueKeysWithValues: target.pairs.map {
                    ($0.name.replacing("__meta_dockerswarm_", with: ""), $0.value)
                })
        }
    }

    private static let node = [
        "node_id": "n1", "node_role": "manager", "node_availability": "active", "node_hostname": "h1",
        "node_platform_architecture": "x86_64", "node_platform_os": "linux", "node_status": "ready",
        "node_address": "10.0.0.1", "node_label_zone": "a",
    ]

    @Test func swarmNodesAreTargets() throws {
        #expect(
            try swarmTargets("nodes") == [
                [
                    "__address__": "10.0.0.1:80", "node_engine_version": "27", "node_manager_leader": "true",
                    "node_manager_reachability": "reachable", "node_manager_address": "10.0.0.1:2377",
                ].merging(Self.node) { $1 }
            ])
    }

    @Test func swarmServicesAreTargets() throws {
        let found = try swarmTargets("services")
        let network = ["network_scope": "local"]
        #expect(
            found == [
                [
                    "__address__": "10.1.0.5:80", "service_id": "s2", "service_name": "job", "service_mode": "global",
                    "network_id": "net1", "network_name": "front", "network_internal": "false",
                    "network_ingress": "false", "network_label_a_b": "c",
                ].merging(network) { $1 },
                [
                    "__address__": "10.255.0.5:8080", "service_id": "s1", "service_name": "web",
                    "service_mode": "replicated", "service_label_l": "m", "service_updating_status": "completed",
                    "service_task_container_hostname": "wh", "service_task_container_image": "web:1",
                    "service_endpoint_port_name": "p", "service_endpoint_port_publish_mode": "ingress",
                    "network_id": "net2", "network_name": "back", "network_internal": "true",
                    "network_ingress": "true",
                ].merging(network) { $1 },
            ])
    }

    @Test func swarmTasksAreTargets() throws {
        let common = [
            "task_id": "t1", "task_desired_state": "running", "task_state": "running", "task_slot": "3",
            "task_container_id": "c9", "container_label_image": "i", "container_label_own": "x", "service_id": "s1",
            "service_name": "web", "service_mode": "replicated", "service_label_l": "m",
        ].merging(Self.node) { $1 }
        #expect(
            try swarmTargets("tasks") == [
                ["__address__": "10.0.0.1:9000", "task_port_publish_mode": "host"].merging(common) { $1 },
                [
                    "__address__": "10.255.0.7:8080", "task_port_publish_mode": "ingress", "network_id": "net2",
                    "network_name": "back", "network_scope": "local", "network_internal": "true",
                    "network_ingress": "true",
                ].merging(common) { $1 },
            ])
    }

    @Test(arguments: [
        ("docker_sd_configs: [{}]", "host missing"),
        (
            "docker_sd_configs: [{host: 'ssh://a'}]",
            "the host must begin with one of unix://, tcp://, http://, https://"
        ),
        ("dockerswarm_sd_configs: [{host: 'unix:///x'}]", "role missing (one of: tasks, services, nodes)"),
        (
            "dockerswarm_sd_configs: [{host: 'unix:///x', role: pods}]",
            "invalid role pods, expected tasks, services, or nodes"
        ),
        ("docker_sd_configs: [{host: 'unix:///x', filters: [{}]}]", "the field \"name\" is required"),
    ])
    func faultsAreNamed(section: String, message: String) {
        do throws(YAMLError) {
            _ = try DiscoveryBench.mechanisms(section)
            Issue.record("accepted")
        } catch {
            #expect(error.message == message)
        }
    }
}
