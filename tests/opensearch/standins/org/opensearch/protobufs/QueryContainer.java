package org.opensearch.protobufs;

/** The k-NN plugin names this type of gRPC's, which Maven Central does not carry. gRPC is off. */
public class QueryContainer {
    /** The kinds of query that it names. */
    public enum QueryContainerCase { KNN }
}
