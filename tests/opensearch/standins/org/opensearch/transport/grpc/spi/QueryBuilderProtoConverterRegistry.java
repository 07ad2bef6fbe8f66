package org.opensearch.transport.grpc.spi;

/** The k-NN plugin names this type of gRPC's, which Maven Central does not carry. gRPC is off. */
public interface QueryBuilderProtoConverterRegistry {}
