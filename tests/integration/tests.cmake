add_executable(oci-pull-tool integration/oci-pull-tool.c)
target_link_libraries(oci-pull-tool PRIVATE lib-k3s lib-image)
hearth_script_test(integration/oci-pull unit 300 integration/oci-pull)
hearth_script_test(region/api unit 240 integration/region)
