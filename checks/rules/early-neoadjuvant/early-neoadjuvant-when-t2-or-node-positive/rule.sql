-- HER2-positive cancer of stage II-III is treated before it is operated on.
-- denominator: tumours, HER2-positive, M0, above 20 mm or node-positive or inflammatory by clinical staging, treated.
with first_operations as (
    select
        patient_key,
        tumour_id,
        min(surgery_date) as first_operation_date
    from stg_surgeries
    group by
        patient_key,
        tumour_id
),

her2_doses as (
    select
        s.episode_key,
        min(s.first_dose_date) as first_her2_date
    from fct_drug_spans as s
    inner join ingredients as i on s.ingredient = i.ingredient
    where s.setting = 'curative' and i.is_her2
    group by s.episode_key
),

staged as (
    select
        t.*,
        p.observable_through,
        p.death_date,
        h.first_her2_date,
        y.first_trial_date,
        n.first_node_sample_date,
        u.missing as unclear_columns,
        -- T2 begins above 20 mm: of a size of exactly that the stratum is left out, whichever category was written.
        case
            when t.clinical_t = '2' and t.clinical_size_mm = $t1_limit_mm then false
            when t.clinical_t in ('2', '3', '4') then true
            when t.clinical_t is not null then false
            else t.clinical_size_mm > $t1_limit_mm
        end as clinically_over_20_mm,
        coalesce(t.clinical_size_mm = $t1_limit_mm and coalesce(t.clinical_t in ('1', '1c', '2'), true), false)
            as clinically_20_mm,
        case
            when
                n.first_node_sample_date < coalesce(o.first_operation_date, date '9999-12-31')
                and n.first_node_sample_date <= coalesce(t.first_systemic_date, date '9999-12-31') then true
            when t.clinical_n in ('1mi', '1', '2', '3') then true
            when t.clinical_n is not null then false
        end as node_positive_before_treatment
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join fct_first_trials as y on t.episode_key = y.episode_key
    left join her2_doses as h on t.episode_key = h.episode_key
    left join fct_node_samples as n on t.patient_key = n.patient_key and t.tumour_id = n.tumour_id
    left join first_operations as o on t.patient_key = o.patient_key and t.tumour_id = o.tumour_id
    left join fct_unclear_surgeries as u on t.patient_key = u.patient_key and t.tumour_id = u.tumour_id
),

judged as (
    select
        *,
        coalesce(clinically_over_20_mm or node_positive_before_treatment or inflammatory, false)
        or ($size = '20-mm-or-more' and clinically_20_mm) as in_scope,
        coalesce(clinically_over_20_mm, node_positive_before_treatment) is null as stage_unknown,
        coalesce(first_surgery_date, first_curative_date) is null as untreated,
        -- Whoever operated could not know what only the removed tumour, or a later sample, told.
        her2_positive_specimen_date >= first_surgery_date as her2_known_later,
        case
            when first_her2_date < first_surgery_date then 'her2-therapy-before-surgery'
            when first_surgery_date is null and first_her2_date is not null then 'her2-therapy-no-surgery-yet'
            when
                $route = 'surgery-first-accepted'
                and first_surgery_date <= coalesce(first_curative_date, first_surgery_date)
                then 'surgery-first-accepted'
        end as met,
        first_surgery_date is null
        and (
            unclear_columns is not null
            or pathway = 'surgery-first'
            or coalesce(pathological_t, pathological_n) is not null
            or pathological_t_unreadable
            or pathological_n_unreadable
        ) as surgery_unclear,
        case
            when first_surgery_date is not null then first_surgery_date
            when
                first_curative_date is not null
                then greatest(diagnosis_date + $treat_days, last_curative_date + $open_course_days)
            else diagnosis_date + $treat_days
        end as settled_date
    from staged
),

-- HER2-directed drugs can harm an unborn child: a pregnancy of the time is a reason not to give them before surgery.
-- Without the day of diagnosis an earlier one may be of the time too, of whoever was treated: else nothing is due.
pregnancies as (
    select
        j.patient_key,
        j.tumour_id,
        min(e.event_date) filter (
            where e.event_date
            >= coalesce(j.diagnosis_date, least(j.first_surgery_date, j.first_curative_date)) - $pregnancy_before_days
        ) as pregnancy_date
    from judged as j
    inner join stg_events as e on j.patient_key = e.patient_key
    where
        e.event = 'pregnancy'
        and e.event_date < j.settled_date
        and e.event_date >= coalesce(j.diagnosis_date - $pregnancy_before_days, e.event_date)
    group by
        j.patient_key,
        j.tumour_id
),

decided as (
    select
        j.*,
        g.pregnancy_date,
        g.patient_key is not null and g.pregnancy_date is null as perhaps_pregnant,
        w.first_weak_date <= j.settled_date as weak_heart
    from judged as j
    left join pregnancies as g on j.patient_key = g.patient_key and j.tumour_id = g.tumour_id
    left join fct_early_weak_hearts as w on j.episode_key = w.episode_key
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    coalesce(first_surgery_date, first_curative_date, diagnosis_date) as decision_date,
    settled_date as due_date,
    case when not untreated then coalesce(diagnosis_date, date '0001-01-01') end as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    date '0001-01-01' as drugs_from,
    greatest(settled_date, her2_positive_date) as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when all_palliative and first_surgery_date is null then 'palliative-intent'
        when
            untreated
            and not surgery_unclear
            and (death_date is not null or coalesce(settled_date <= observable_through, true)) then 'not-treated'
        when in_scope or stage_unknown then null
        when clinically_20_mm then 'exactly-20-mm'
        when pathological_t in ('2', '3', '4') or pathological_n in ('1mi', '1', '2', '3') then 'upstaged-at-surgery'
        else 'stage-i'
    end as excluded,
    case
        when not in_scope then 'stage-unknown'
        when surgery_unclear then 'surgery-unclear'
        when met is null and her2_known_later then 'her2-known-later'
        when met is null and perhaps_pregnant then 'diagnosis-date-missing'
    end as missing_reason,
    case
        when not in_scope then ['tumours.clinical_t', 'tumours.clinical_n']
        when missing_reason = 'diagnosis-date-missing' then ['tumours.diagnosis_date']
        when not surgery_unclear then ['receptor_tests.specimen_date']
        else coalesce(unclear_columns, ['surgeries.surgery_date'])
    end as missing,
    met,
    case
        when untreated then null
        when first_trial_date < coalesce(first_surgery_date, date '9999-12-31') then 'trial'
        when pregnancy_date is not null then 'pregnancy'
        when weak_heart then 'contraindication-cardiac'
    end as excepted,
    case when untreated then cast([] as varchar[]) else ['neoadjuvant'] end as lacking,
    case
        when first_surgery_date is null then 'no-her2-therapy'
        when first_curative_date < first_surgery_date then 'no-her2-before-surgery'
        else 'surgery-first'
    end as failed,
    date_diff('day', first_her2_date, first_surgery_date) as margin_days,
    case when excluded is null then to_json(struct_pack(
        diagnosis_date := diagnosis_date,
        clinical_t := clinical_t,
        clinical_n := clinical_n,
        clinical_size_mm := clinical_size_mm,
        inflammatory := inflammatory,
        first_node_sample_date := first_node_sample_date,
        first_systemic_date := first_curative_date,
        first_her2_date := first_her2_date,
        first_surgery_date := first_surgery_date,
        pregnancy_date := pregnancy_date,
        her2_basis := her2_basis
    )) end as evidence
from decided
