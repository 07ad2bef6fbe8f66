import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.opensearch.Version;
import org.opensearch.analysis.common.CommonAnalysisModulePlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.index.mapper.MapperExtrasModulePlugin;
import org.opensearch.index.rankeval.RankEvalModulePlugin;
import org.opensearch.index.reindex.ReindexModulePlugin;
import org.opensearch.knn.plugin.KNNPlugin;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;
import org.opensearch.plugins.PluginInfo;
import org.opensearch.transport.Netty4ModulePlugin;

/**
 * One real OpenSearch node on 127.0.0.1: {@code java -cp 'classes:lib/*' OpenSearchNode FOLDER [PORT]}; a free port where none is given.
 * Prints {@code READY 127.0.0.1:PORT VERSION} when it answers; ends when standard input does, so it cannot outlive who started it.
 */
public class OpenSearchNode extends Node {
    OpenSearchNode(Settings settings, Path config) {
        super(new Environment(settings, config), PLUGINS.stream().map(OpenSearchNode::plugin).toList(), true);
    }

    static final List<Class<? extends Plugin>> PLUGINS = List.of(
        Netty4ModulePlugin.class,
        CommonAnalysisModulePlugin.class,
        MapperExtrasModulePlugin.class,
        RankEvalModulePlugin.class,
        ReindexModulePlugin.class,
        KNNPlugin.class
    );

    static PluginInfo plugin(Class<? extends Plugin> plugin) {
        String java = Integer.toString(Runtime.version().feature());
        return new PluginInfo(plugin.getName(), "on the class path", "NA", Version.CURRENT, java, plugin.getName(), null, List.of(), false);
    }

    public static void main(String[] args) throws Exception {
        Path home = Path.of(args[0]).toAbsolutePath();
        Path config = Files.createDirectories(home.resolve("config"));
        Settings settings = Settings.builder()
            .put("cluster.name", "bifocal-test")
            .put("node.name", "node")
            .put("path.home", home.toString())
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", args.length > 1 ? args[1] : "0")
            .put("transport.port", "0")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put("node.processors", 2)
            .build();
        OpenSearchNode node = new OpenSearchNode(settings, config);
        node.start();
        var address = node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress();
        System.out.println("READY 127.0.0.1:" + address.getPort() + " " + Version.CURRENT);
        while (System.in.read() >= 0) {}
        Runtime.getRuntime().halt(0);
    }
}
