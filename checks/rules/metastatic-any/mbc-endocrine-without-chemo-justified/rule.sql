-- Chemotherapy-free endocrine treatment of metastatic disease is limited to justified cases.
-- denominator: first and second lines, HER2-positive and hormone-receptor-positive, that begin with endocrine therapy
-- and with neither a cytotoxic drug nor a conjugate. No record can show a failure: what lacks is a documented reason.
with composition as (
    select
        episode_key,
        line_number,
        bool_or(is_cytotoxic or is_her2_conjugate) as has_chemotherapy_begun,
        bool_or(is_endocrine) as has_endocrine_begun,
        bool_or(is_her2) as has_her2_begun,
        bool_or(is_trastuzumab) as has_trastuzumab_begun
    from fct_line_drugs
    where days_from_start <= $component_days
    group by
        episode_key,
        line_number
),

episodes as (
    select distinct
        patient_key,
        episode_key
    from fct_lines
),

documented as (
    select
        e.episode_key,
        bool_or(x.reason = 'low-disease-burden') as low_burden,
        bool_or(
            t.part = 'chemotherapy'
            and x.reason in ('contraindication-medical', 'contraindication-cardiac', 'frailty-documented')
        ) as chemotherapy_unsuitable,
        bool_or(t.part = 'chemotherapy' and x.reason = 'patient-refusal') as chemotherapy_refused,
        bool_or(
            t.part = 'her2' and x.reason in ('contraindication-medical', 'contraindication-cardiac', 'patient-refusal')
        ) as her2_unsuitable,
        list_sort(list(distinct x.reason || ' on ' || x.topic_name)) as reasons
    from episodes as e
    inner join stg_exceptions as x on e.patient_key = x.patient_key
    inner join rule_topics as t on x.topic_name = t.topic and x.reason = coalesce(t.reason, x.reason)
    inner join rule_reasons as r on x.reason = r.reason
    left join fct_episodes as o on x.patient_key = o.patient_key and x.tumour_id = o.tumour_id
    where x.tumour_id is null or o.episode_key = e.episode_key
    group by e.episode_key
),

sites as (
    select
        episode_key,
        list_sort(list(cast(event_date as varchar) || ' ' || coalesce(site, 'site not recorded'))) as metastases
    from fct_metastases
    group by episode_key
),

induced as (
    select
        episode_key,
        line_number
    from fct_lines
    where has_cytotoxic and has_her2
),

described as (
    select
        l.*,
        c.has_chemotherapy_begun,
        c.has_endocrine_begun,
        c.has_her2_begun,
        not $conjugates_told_apart and c.has_trastuzumab_begun as drug_ambiguous,
        l.began_by <> 'progression' and i.episode_key is not null as maintained,
        l.start_date + $component_days as due_date,
        l.start_date + $component_days <= l.observable_through or l.death_date is not null as is_closed,
        coalesce(d.low_burden, false) as low_burden,
        coalesce(d.chemotherapy_unsuitable, false) as chemotherapy_unsuitable,
        coalesce(d.chemotherapy_refused, false) as chemotherapy_refused,
        coalesce(d.her2_unsuitable, false) as her2_documented,
        coalesce(h.first_date <= l.start_date + $component_days, false) as heart_failed,
        coalesce(f.months >= $dfi_months, false) as long_interval,
        d.reasons,
        f.since_date,
        f.months as disease_free_months,
        h.first_date as heart_failure_date,
        s.metastases
    from fct_lines as l
    inner join composition as c on l.episode_key = c.episode_key and l.line_number = c.line_number
    left join induced as i on l.episode_key = i.episode_key and l.line_number = i.line_number + 1
    left join documented as d on l.episode_key = d.episode_key
    left join fct_heart_failure as h on l.patient_key = h.patient_key
    left join fct_disease_free as f on l.episode_key = f.episode_key
    left join sites as s on l.episode_key = s.episode_key
),

judged as (
    select
        *,
        case
            when low_burden then 'low-burden'
            when chemotherapy_unsuitable then 'chemotherapy-unsuitable'
            when chemotherapy_refused then 'chemotherapy-refused'
            when her2_documented or heart_failed then 'her2-unsuitable'
            when long_interval then 'long-interval'
        end as criterion,
        has_her2_begun or $endocrine_alone = 'any-criterion' as one_is_enough,
        low_burden and (her2_documented or heart_failed) as both_given
    from described
)

select
    'line-' || cast(line_number as varchar) as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    start_date as decision_date,
    due_date,
    case
        when outside_metastatic_her2 is not null then outside_metastatic_her2
        when line_number > $last_line then 'later-line'
        when has_chemotherapy_begun then 'chemotherapy-in-line'
        when not has_endocrine_begun then 'no-endocrine'
        when hr_status = 'negative' then 'hr-negative'
        when hr_status = 'unknown' then 'hr-unknown'
        when maintained then 'maintenance'
    end as excluded,
    case
        when not is_closed then null
        when drug_ambiguous then 'conjugate-not-told-apart'
        when criterion is null and reasons is null and not in_trial then 'no-criterion-documented'
    end as missing_reason,
    case when drug_ambiguous then ['treatments.drug'] else ['exceptions.reason'] end as missing,
    case
        when not is_closed then null
        when one_is_enough then criterion
        when both_given then 'low-burden-and-her2-unsuitable'
    end as met,
    case
        when not is_closed then null
        when in_trial then 'trial'
        when reasons is null then criterion
    end as excepted,
    case when not is_closed then [] end as lacking,
    to_json(struct_pack(
        line_start_date := start_date,
        drugs_begun_in_time := first_drugs,
        documented_reasons := reasons,
        metastases := metastases,
        disease_free_since := since_date,
        disease_free_months := disease_free_months,
        heart_failure_date := heart_failure_date,
        hr_status := hr_status,
        line_certainty := certainty,
        her2_at_line := her2_at_line,
        her2_specimen_date := her2_specimen_date
    )) as evidence
from judged
